// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {GatewayKeys} from "./GatewayKeys.sol";
import {OrderBook} from "./OrderBook.sol";

/// Keeps a microgrid in balance: orders to its members, paid as in Orders.sol. Reference version.
contract MicrogridBalancing is OrderBook {
    enum Measure {
        Balance, // battery power, W, + = discharge
        DemandResponse,
        PeakShaving,
        Frequency,
        Voltage,
        HoldStorage, // reserve, bp
        Island,
        Reconnect
    }

    constructor(address admin, GatewayKeys members) OrderBook(admin, members) {}

    function order(uint256 memberId, Measure measure, Terms calldata terms) external payable returns (uint256) {
        return _give(memberId, uint8(measure), terms);
    }

}
