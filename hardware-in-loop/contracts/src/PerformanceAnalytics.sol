// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {StorageVerification} from "./StorageVerification.sol";

/// How storages do: what their gateways say of each interval, and what follows from it. Reference version.
///
/// Figures in the units of docs/analytics.md; NOT_KNOWN (all ones) where the gateway does not know one.
contract PerformanceAnalytics {
    uint256 public constant KEPT = 96; // of each storage: a day of quarter hours
    uint16 public constant SOH_LOW_BP = 7000;
    uint16 public constant IMBALANCE_HIGH_MV = 100;
    int16 public constant HOT_CC = 5000;

    struct PerformanceData {
        uint48 start; // Unix ms
        uint48 end;
        uint32 throughput; // Wh
        uint32 cycles; // thousandths of a full cycle
        uint32 capacity; // Wh, usable, measured
        uint16 efficiency; // bp, round trip
        uint16 soh; // bp
        uint16 imbalance; // mV
        int16 temperatureMin; // 0.01 C; type(int16).min: not known
        int16 temperatureMax;
        uint16 availability; // bp
        uint16 faults;
    }

    StorageVerification public immutable verification;
    mapping(uint256 storageId => PerformanceData[KEPT]) private kept;
    mapping(uint256 storageId => uint256) public recorded; // how many there ever were

    event PerformanceRecorded(uint256 indexed storageId, PerformanceData data);

    error NotAllowed(address caller);
    error NotLater(uint48 last);

    constructor(StorageVerification verification_) {
        verification = verification_;
    }

    /// By the storage's gateway, in order of time.
    function recordPerformanceData(uint256 storageId, PerformanceData calldata data) external {
        if (msg.sender != verification.gatewayOf(storageId)) revert NotAllowed(msg.sender);
        uint256 number = recorded[storageId];
        uint48 last = number == 0 ? 0 : kept[storageId][(number - 1) % KEPT].end;
        if (data.end <= data.start || data.start < last) revert NotLater(last);
        kept[storageId][number % KEPT] = data;
        recorded[storageId] = number + 1;
        emit PerformanceRecorded(storageId, data);
    }

    function latestOf(uint256 storageId) public view returns (PerformanceData memory) {
        uint256 number = recorded[storageId];
        return kept[storageId][(number == 0 ? 0 : number - 1) % KEPT];
    }

    /// Throughput (Wh) and faults of all storages up to `timeframe` seconds ago.
    function generateAnalytics(uint256 timeframe) external view returns (uint256 throughput, uint256 faults) {
        uint256 since = (block.timestamp - timeframe) * 1000;
        uint256 count = verification.storageCount();
        for (uint256 id = 1; id <= count; ++id) {
            uint256 number = recorded[id];
            uint256 held = number < KEPT ? number : KEPT;
            for (uint256 i = 0; i < held; ++i) {
                PerformanceData storage data = kept[id][i];
                if (data.start < since) continue;
                throughput += data.throughput;
                faults += data.faults;
            }
        }
    }

    /// Whether somebody should look at the storage, and why.
    function predictMaintenance(uint256 storageId) external view returns (bool due, string memory reason) {
        PerformanceData memory data = latestOf(storageId);
        if (data.soh < SOH_LOW_BP && data.end != 0) return (true, "state of health");
        if (data.imbalance > IMBALANCE_HIGH_MV && data.imbalance != type(uint16).max) return (true, "cells apart");
        if (data.temperatureMax > HOT_CC) return (true, "temperature");
        if (data.faults != 0) return (true, "faults");
        return (false, "");
    }

    /// The newest known round-trip efficiency of each, bp; 0 where none is known.
    function benchmarkEfficiency(uint256[] calldata storageIds) external view returns (uint16[] memory found) {
        found = new uint16[](storageIds.length);
        for (uint256 i = 0; i < storageIds.length; ++i) {
            uint256 number = recorded[storageIds[i]];
            uint256 held = number < KEPT ? number : KEPT;
            for (uint256 back = 1; back <= held && found[i] == 0; ++back) {
                uint16 efficiency = kept[storageIds[i]][(number - back) % KEPT].efficiency;
                if (efficiency != type(uint16).max) found[i] = efficiency;
            }
        }
    }
}
