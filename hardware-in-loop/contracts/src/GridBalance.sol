// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {DeviceRegistry} from "./DeviceRegistry.sol";
import {Orders} from "./Orders.sol";
import {Records} from "./Records.sol";

/// Balances autonomous microgrids: demand response, distribution, emergencies; paid as in Orders.sol.
/// Reference version.
contract GridBalance is Orders {
    enum Measure {
        DemandResponse, // load to shed, W
        Distribution, // battery power, W, + = discharge
        LoadLimit
    }

    uint256 public orderCount;

    constructor(address admin, DeviceRegistry registry) Orders(admin, registry) {}

    function requestDemandResponse(uint256 microgridId, Terms calldata terms) external payable returns (uint256) {
        return _give(microgridId, Measure.DemandResponse, terms);
    }

    function distribute(uint256 microgridId, Terms calldata terms) external payable returns (uint256) {
        return _give(microgridId, Measure.Distribution, terms);
    }

    function limitLoad(uint256 microgridId, Terms calldata terms) external payable returns (uint256) {
        return _give(microgridId, Measure.LoadLimit, terms);
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

    /// The load of a microgrid as last signed: Wh consumed and imported in its newest interval.
    function monitorLoad(uint256 microgridId) external view returns (uint64 consumed, uint64 imported, uint64 end) {
        Records.Aggregates memory a = evidence.latest(microgridId);
        return (a.consumed, a.imported, a.end);
    }

    function _give(uint256 microgridId, Measure measure, Terms calldata terms)
        private
        onlyRole(OPERATOR_ROLE)
        returns (uint256 orderId)
    {
        if (!evidence.isVerified(microgridId)) revert NotVerified(microgridId);
        orderId = ++orderCount;
        _order(orderId, microgridId, uint8(measure), terms);
    }
}
