// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {OrderBook} from "./OrderBook.sol";
import {Records} from "./Records.sol";
import {SmartMeter} from "./SmartMeter.sol";

/// The operator of a grid with smart meters at its ends: balances it by orders to the sites behind them, paid
/// as in Orders.sol. Reference version.
contract GridManagement is OrderBook {
    enum Measure {
        Balancing, // battery power, W, + = discharge
        DemandResponse, // load to shed, W
        VoltageRegulation,
        FrequencyControl,
        FeedInLimit
    }

    constructor(address admin, SmartMeter meters) OrderBook(admin, meters) {}

    function balance(uint256 meterId, Terms calldata terms) external payable returns (uint256) {
        return _give(meterId, uint8(Measure.Balancing), terms);
    }

    function requestDemandResponse(uint256 meterId, Terms calldata terms) external payable returns (uint256) {
        return _give(meterId, uint8(Measure.DemandResponse), terms);
    }

    function regulateVoltage(uint256 meterId, Terms calldata terms) external payable returns (uint256) {
        return _give(meterId, uint8(Measure.VoltageRegulation), terms);
    }

    function controlFrequency(uint256 meterId, Terms calldata terms) external payable returns (uint256) {
        return _give(meterId, uint8(Measure.FrequencyControl), terms);
    }

    function limitFeedIn(uint256 meterId, Terms calldata terms) external payable returns (uint256) {
        return _give(meterId, uint8(Measure.FeedInLimit), terms);
    }

    /// How the grid is at a meter, as last signed there: mHz, mV.
    function gridStatus(uint256 meterId) external view returns (uint32 frequency, uint32 voltage, uint64 end) {
        Records.Aggregates memory a = evidence.latest(meterId);
        return (a.frequency, a.voltage, a.end);
    }
}
