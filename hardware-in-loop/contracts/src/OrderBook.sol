// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {GatewayKeys} from "./GatewayKeys.sol";
import {Orders} from "./Orders.sol";

/// Orders that are counted: each has a number of its own, and any number of them may run at once.
abstract contract OrderBook is Orders {
    uint256 public orderCount;

    constructor(address admin, GatewayKeys evidence_) Orders(admin, evidence_) {}

    /// By anybody, once the evidence holds the Delivery record of the order.
    function validateDelivery(uint256 orderId) external returns (uint16 shareBp) {
        return _validate(orderId);
    }

    /// By anybody, once validated.
    function settle(uint256 orderId) external {
        _settle(orderId);
    }

    /// By the operator of the order, when no evidence came in time.
    function cancel(uint256 orderId) external {
        _cancel(orderId);
    }

    /// By an operator, at an asset that may earn.
    function _give(uint256 assetId, uint8 service, Terms memory terms)
        internal
        onlyRole(OPERATOR_ROLE)
        returns (uint256 orderId)
    {
        if (!evidence.isVerified(assetId)) revert NotVerified(assetId);
        return _count(assetId, service, terms);
    }

    function _count(uint256 assetId, uint8 service, Terms memory terms) internal returns (uint256 orderId) {
        orderId = ++orderCount;
        _order(orderId, assetId, service, terms);
    }
}
