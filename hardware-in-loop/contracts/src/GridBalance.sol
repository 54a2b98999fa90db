// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {DeviceRegistry} from "./DeviceRegistry.sol";
import {OrderBook} from "./OrderBook.sol";
import {Records} from "./Records.sol";

/// Balances autonomous microgrids: demand response, distribution, emergencies; paid as in Orders.sol.
/// Reference version.
contract GridBalance is OrderBook {
    enum Measure {
        DemandResponse, // load to shed, W
        Distribution, // battery power, W, + = discharge
        LoadLimit
    }

    constructor(address admin, DeviceRegistry registry) OrderBook(admin, registry) {}

    function requestDemandResponse(uint256 microgridId, Terms calldata terms) external payable returns (uint256) {
        return _give(microgridId, uint8(Measure.DemandResponse), terms);
    }

    function distribute(uint256 microgridId, Terms calldata terms) external payable returns (uint256) {
        return _give(microgridId, uint8(Measure.Distribution), terms);
    }

    function limitLoad(uint256 microgridId, Terms calldata terms) external payable returns (uint256) {
        return _give(microgridId, uint8(Measure.LoadLimit), terms);
    }

    /// The load of a microgrid as last signed: Wh consumed and imported in its newest interval.
    function monitorLoad(uint256 microgridId) external view returns (uint64 consumed, uint64 imported, uint64 end) {
        Records.Aggregates memory a = evidence.latest(microgridId);
        return (a.consumed, a.imported, a.end);
    }
}
