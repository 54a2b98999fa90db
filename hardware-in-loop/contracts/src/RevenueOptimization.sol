// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {Records} from "./Records.sol";
import {StorageVerification} from "./StorageVerification.sol";

/// Prices for a pool of storages, and the revenue they share. Reference version.
///
/// A strategy is the prices of the coming slots of time; gateways of the pool obey PricingAdjusted by shifting
/// load, each as its own battery allows. Revenue is split by contributions and withdrawn by the owners.
contract RevenueOptimization is AccessControl {
    bytes32 public constant OPERATOR_ROLE = keccak256("OPERATOR_ROLE");
    uint256 public constant SLOTS_MAX = 200; // two days of quarter hours

    /// Prices of slots of `step` seconds from `start` (Unix seconds); any currency per MWh, may be negative.
    struct MarketConditions {
        uint64 start;
        uint32 step;
        int32[] prices;
    }

    StorageVerification public immutable verification;
    mapping(uint256 poolId => MarketConditions) private conditions;
    mapping(address account => uint256) public credit;

    /// What gateways of a pool obey.
    event PricingAdjusted(uint256 indexed poolId, uint64 start, uint32 step, int32[] prices);
    event RevenueDistributed(uint256 amount, uint256 participants);
    event PerformanceTracked(uint256 indexed storageId, uint64 discharged, uint16 soh, uint64 end);

    error BadConditions();
    error BadShares();
    error PaymentFailed(address to);

    constructor(address admin, StorageVerification verification_) {
        verification = verification_;
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        _grantRole(OPERATOR_ROLE, admin);
    }

    /// What the next adjustPricingStrategy of the pool publishes.
    function setMarketConditions(uint256 poolId, MarketConditions calldata market) external onlyRole(OPERATOR_ROLE) {
        _check(market);
        conditions[poolId] = market;
    }

    function adjustPricingStrategy(uint256 poolId) external onlyRole(OPERATOR_ROLE) {
        MarketConditions memory market = conditions[poolId];
        if (market.step == 0) revert BadConditions();
        emit PricingAdjusted(poolId, market.start, market.step, market.prices);
    }

    /// +1 discharge, -1 charge, 0 rest for each slot: the dearest quarter of the slots against the cheapest.
    function calculateOptimalBidding(MarketConditions calldata market) external pure returns (int8[] memory bids) {
        _check(market);
        uint256 count = market.prices.length;
        bids = new int8[](count);
        for (uint256 i = 0; i < count; ++i) {
            uint256 below = 0;
            for (uint256 j = 0; j < count; ++j) {
                if (market.prices[j] < market.prices[i]) ++below;
            }
            if (below * 4 >= count * 3) bids[i] = 1;
            else if (below * 4 < count) bids[i] = -1;
        }
    }

    /// Splits the value sent among the owners of the storages, by contribution.
    function distributeRevenue(uint256[] calldata participants, uint256[] calldata contributions)
        external
        payable
        onlyRole(OPERATOR_ROLE)
    {
        uint256 total = 0;
        for (uint256 i = 0; i < contributions.length; ++i) total += contributions[i];
        if (total == 0 || participants.length != contributions.length) revert BadShares();
        uint256 given = 0;
        for (uint256 i = 0; i < participants.length; ++i) {
            address owner = verification.ownerOf(participants[i]);
            if (owner == address(0)) revert BadShares();
            uint256 part = msg.value * contributions[i] / total;
            credit[owner] += part;
            given += part;
        }
        credit[msg.sender] += msg.value - given;
        emit RevenueDistributed(msg.value, participants.length);
    }

    /// Notes what a storage's newest signed interval says of its contribution.
    function trackPerformanceMetrics(uint256 storageId) external returns (Records.Aggregates memory a) {
        a = verification.latest(storageId);
        emit PerformanceTracked(storageId, a.discharged, a.soh, a.end);
    }

    function withdraw() external {
        uint256 amount = credit[msg.sender];
        credit[msg.sender] = 0;
        (bool ok,) = msg.sender.call{value: amount}("");
        if (!ok) revert PaymentFailed(msg.sender);
    }

    function _check(MarketConditions calldata market) private pure {
        if (market.prices.length == 0 || market.prices.length > SLOTS_MAX) revert BadConditions();
        if (market.step < 60 || market.step > 1 days || market.start == 0) revert BadConditions();
    }
}
