// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {GatewayKeys} from "./GatewayKeys.sol";
import {RecordChains} from "./RecordChains.sol";
import {Records} from "./Records.sol";

/// Smart meters: the evidence of the gateways that read them, and each one's readings as contracts want them.
/// Reference version.
///
/// A reading is of one interval: what was consumed and produced in it (Wh), and the means of frequency (mHz) and
/// voltage (mV). The three getters without arguments answer for the caller's own meter.
contract SmartMeter is GatewayKeys, AccessControl {
    bytes32 public constant OPERATOR_ROLE = keccak256("OPERATOR_ROLE");

    struct MeterReading {
        uint256 timestamp; // Unix seconds: the end of the interval
        uint256 consumption;
        uint256 production;
        uint256 gridFrequency;
        uint256 voltage;
    }

    struct Meter {
        address owner;
        bool approved;
        string serial;
    }

    struct Totals {
        uint128 consumption;
        uint128 production;
    }

    mapping(uint256 meterId => Meter) private meters;
    mapping(address owner => uint256) public meterOf; // the newest of an owner
    mapping(uint256 meterId => MeterReading) private readings;
    mapping(uint256 meterId => mapping(uint256 day => Totals)) private days_;
    uint256 public meterCount;

    event MeterRegistered(uint256 indexed meterId, address indexed owner, string serial);
    event MeterApproved(uint256 indexed meterId, address indexed operator, uint256 sequence);
    /// `attested`: it says what the newest signed interval of the meter's key says.
    event ReadingSubmitted(uint256 indexed meterId, MeterReading reading, bool attested);

    error BadMeter();
    error NoEvidence(uint256 meterId);
    error NotLater(uint256 last);
    error NoMeter(address caller);

    constructor(address admin, uint256 ring) RecordChains(ring) {
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        _grantRole(OPERATOR_ROLE, admin);
    }

    /// By the owner. Ids begin at 1.
    function registerMeter(string calldata serial) external returns (uint256 meterId) {
        if (bytes(serial).length == 0 || bytes(serial).length > 64) revert BadMeter();
        meterId = ++meterCount;
        meters[meterId] = Meter(msg.sender, false, serial);
        meterOf[msg.sender] = meterId;
        emit MeterRegistered(meterId, msg.sender, serial);
    }

    /// By an operator, once a signed record has been accepted from the meter's key.
    function approveMeter(uint256 meterId) external onlyRole(OPERATOR_ROLE) {
        _knownOwner(meterId);
        uint256 sequence = lastSequence(gatewayOf[meterId]);
        if (sequence == 0) revert NoEvidence(meterId);
        meters[meterId].approved = true;
        emit MeterApproved(meterId, msg.sender, sequence);
    }

    /// By the meter's gateway, in order of time.
    function submitReading(MeterReading calldata reading) external {
        uint256 meterId = _assetOfCaller();
        uint256 last = readings[meterId].timestamp;
        if (reading.timestamp <= last) revert NotLater(last);
        readings[meterId] = reading;
        Totals storage day = days_[meterId][reading.timestamp / 1 days];
        day.consumption += uint128(reading.consumption);
        day.production += uint128(reading.production);
        emit ReadingSubmitted(meterId, reading, _attested(msg.sender, reading));
    }

    function getLatestReading() external view returns (MeterReading memory) {
        return readings[_own()];
    }

    /// Of the current day (UTC).
    function getDailyProduction() external view returns (uint256) {
        return days_[_own()][block.timestamp / 1 days].production;
    }

    function getDailyConsumption() external view returns (uint256) {
        return days_[_own()][block.timestamp / 1 days].consumption;
    }

    function readingOf(uint256 meterId) external view returns (MeterReading memory) {
        return readings[meterId];
    }

    /// `day`: whole days since 1970 (UTC).
    function dayOf(uint256 meterId, uint256 day) external view returns (Totals memory) {
        return days_[meterId][day];
    }

    function getMeter(uint256 meterId) external view returns (Meter memory) {
        return meters[meterId];
    }

    function ownerOf(uint256 meterId) public view override returns (address) {
        return meters[meterId].owner;
    }

    function isVerified(uint256 meterId) public view override returns (bool) {
        return meters[meterId].approved;
    }

    function _attested(address gateway, MeterReading calldata reading) private view returns (bool) {
        Records.Aggregates memory a = latestOf(gateway);
        return a.end / 1000 == reading.timestamp && a.consumed == reading.consumption
            && a.produced == reading.production && a.frequency == reading.gridFrequency && a.voltage == reading.voltage;
    }

    function _own() private view returns (uint256 meterId) {
        meterId = storageOf[msg.sender];
        if (meterId == 0) meterId = meterOf[msg.sender];
        if (meterId == 0) revert NoMeter(msg.sender);
    }
}
