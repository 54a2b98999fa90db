// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {GatewayKeys} from "./GatewayKeys.sol";
import {Orders} from "./Orders.sol";

/// Keeps a microgrid in balance: orders to its members, paid as in Orders.sol. Reference version.
contract MicrogridBalancing is Orders {
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

    uint256 public orderCount;

    error NotCertified(uint256 memberId);

    constructor(address admin, GatewayKeys members) Orders(admin, members) {}

    function order(uint256 memberId, Measure measure, Terms calldata terms)
        external
        payable
        onlyRole(OPERATOR_ROLE)
        returns (uint256 orderId)
    {
        if (!evidence.isVerified(memberId)) revert NotCertified(memberId);
        orderId = ++orderCount;
        _order(orderId, memberId, uint8(measure), terms);
    }

    function validateDelivery(uint256 orderId) external returns (uint16 shareBp) {
        return _validate(orderId);
    }

    function settle(uint256 orderId) external {
        _settle(orderId);
    }

    function cancel(uint256 orderId) external {
        _cancel(orderId);
    }
}
