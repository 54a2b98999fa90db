// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {GatewayKeys} from "./GatewayKeys.sol";

/// What the members of a microgrid consumed, and alerts for abnormal use. Reference version.
contract MicrogridConsumption {
    /// What a member consumed in an interval: Unix ms, Wh.
    struct Consumption {
        uint48 start;
        uint48 end;
        uint64 energy;
        uint64 imported; // of it from the grid
    }

    GatewayKeys public immutable evidence;
    mapping(uint256 memberId => Consumption) private newest;
    mapping(uint256 memberId => uint256) public thresholdOf; // W, mean of an interval; 0: none
    mapping(uint256 memberId => uint256) public peakOf; // W, the largest mean of an interval
    mapping(uint256 day => uint256) public totalOn; // Wh of all members, by UTC day: nobody's own

    event ConsumptionRecorded(uint256 indexed memberId, Consumption consumption);
    event AbnormalUse(uint256 indexed memberId, uint256 power, uint256 threshold);

    error NotAllowed(address caller);
    error NotLater(uint48 last);

    constructor(GatewayKeys evidence_) {
        evidence = evidence_;
    }

    /// By the member's gateway, in order of time.
    function recordConsumption(uint256 memberId, Consumption calldata consumption) external {
        if (msg.sender != evidence.gatewayOf(memberId)) revert NotAllowed(msg.sender);
        uint48 last = newest[memberId].end;
        if (consumption.end <= consumption.start || consumption.start < last) revert NotLater(last);
        newest[memberId] = consumption;
        totalOn[consumption.start / 86_400_000] += consumption.energy;
        uint256 power = uint256(consumption.energy) * 3_600_000 / (consumption.end - consumption.start);
        if (power > peakOf[memberId]) peakOf[memberId] = power;
        emit ConsumptionRecorded(memberId, consumption);
        uint256 threshold = thresholdOf[memberId];
        if (threshold != 0 && power > threshold) emit AbnormalUse(memberId, power, threshold);
    }

    /// By the member's owner.
    function setThreshold(uint256 memberId, uint256 power) external {
        if (msg.sender != evidence.ownerOf(memberId)) revert NotAllowed(msg.sender);
        thresholdOf[memberId] = power;
    }

    function latestConsumption(uint256 memberId) external view returns (Consumption memory) {
        return newest[memberId];
    }
}
