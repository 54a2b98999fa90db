// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Orders} from "./Orders.sol";
import {Records} from "./Records.sol";
import {SmartMeter} from "./SmartMeter.sol";

/// The operator of a grid with smart meters at its ends: balances it by orders to the sites behind them, paid
/// as in Orders.sol. Reference version.
contract GridManagement is Orders {
    enum Measure {
        Balancing, // battery power, W, + = discharge
        DemandResponse, // load to shed, W
        VoltageRegulation,
        FrequencyControl,
        FeedInLimit
    }

    uint256 public orderCount;

    error NotApproved(uint256 meterId);

    constructor(address admin, SmartMeter meters) Orders(admin, meters) {}

    function balance(uint256 meterId, Terms calldata terms) external payable returns (uint256) {
        return _give(meterId, Measure.Balancing, terms);
    }

    function requestDemandResponse(uint256 meterId, Terms calldata terms) external payable returns (uint256) {
        return _give(meterId, Measure.DemandResponse, terms);
    }

    function regulateVoltage(uint256 meterId, Terms calldata terms) external payable returns (uint256) {
        return _give(meterId, Measure.VoltageRegulation, terms);
    }

    function controlFrequency(uint256 meterId, Terms calldata terms) external payable returns (uint256) {
        return _give(meterId, Measure.FrequencyControl, terms);
    }

    function limitFeedIn(uint256 meterId, Terms calldata terms) external payable returns (uint256) {
        return _give(meterId, Measure.FeedInLimit, terms);
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

    /// How the grid is at a meter, as last signed there: mHz, mV.
    function gridStatus(uint256 meterId) external view returns (uint32 frequency, uint32 voltage, uint64 end) {
        Records.Aggregates memory a = evidence.latest(meterId);
        return (a.frequency, a.voltage, a.end);
    }

    function _give(uint256 meterId, Measure measure, Terms calldata terms)
        private
        onlyRole(OPERATOR_ROLE)
        returns (uint256 orderId)
    {
        if (!evidence.isVerified(meterId)) revert NotApproved(meterId);
        orderId = ++orderCount;
        _order(orderId, meterId, uint8(measure), terms);
    }
}
