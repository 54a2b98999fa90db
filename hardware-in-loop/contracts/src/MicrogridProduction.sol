// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {GatewayKeys} from "./GatewayKeys.sol";
import {RecordChains} from "./RecordChains.sol";

/// The members of a microgrid, the evidence of their gateways, and what each produced. Reference version.
///
/// Only sums of an interval are public; single readings stay private under the record's Merkle root until
/// somebody proves one (RecordChains.proveReading).
contract MicrogridProduction is GatewayKeys, AccessControl {
    bytes32 public constant CERTIFIER_ROLE = keccak256("CERTIFIER_ROLE");

    enum Source {
        Solar,
        Storage
    }

    /// What a member produced in an interval: Unix ms, Wh, mHz, mV.
    struct Production {
        uint48 start;
        uint48 end;
        uint64 solar;
        uint64 stored; // discharged from storage
        uint32 frequency;
        uint32 voltage;
    }

    struct Member {
        address owner;
        bool certified;
        uint32 offset; // grams of CO2 for each kWh of solar energy
    }

    mapping(uint256 memberId => Member) private members;
    mapping(uint256 memberId => Production) private newest;
    mapping(uint256 memberId => mapping(Source => uint256)) private totals; // Wh
    uint256 public memberCount;

    event MemberRegistered(uint256 indexed memberId, address indexed owner);
    event MemberCertified(uint256 indexed memberId, address indexed certifier, uint32 offset);
    event ProductionRecorded(uint256 indexed memberId, Production production);

    error NoEvidence(uint256 memberId);
    error NotLater(uint48 last);

    constructor(address admin, uint256 ring) RecordChains(ring) {
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        _grantRole(CERTIFIER_ROLE, admin);
    }

    /// By the owner. Ids begin at 1.
    function registerMember() external returns (uint256 memberId) {
        memberId = ++memberCount;
        members[memberId].owner = msg.sender;
        emit MemberRegistered(memberId, msg.sender);
    }

    /// By a certifier, who looked at the source of the energy, once a signed record was accepted from there.
    function certify(uint256 memberId, uint32 offset) external onlyRole(CERTIFIER_ROLE) {
        _knownOwner(memberId);
        if (lastSequence(gatewayOf[memberId]) == 0) revert NoEvidence(memberId);
        members[memberId].certified = true;
        members[memberId].offset = offset;
        emit MemberCertified(memberId, msg.sender, offset);
    }

    /// By the member's gateway, in order of time.
    function recordProduction(Production calldata production) external {
        uint256 memberId = _assetOfCaller();
        uint48 last = newest[memberId].end;
        if (production.end <= production.start || production.start < last) revert NotLater(last);
        newest[memberId] = production;
        totals[memberId][Source.Solar] += production.solar;
        totals[memberId][Source.Storage] += production.stored;
        emit ProductionRecorded(memberId, production);
    }

    function latestProduction(uint256 memberId) external view returns (Production memory) {
        return newest[memberId];
    }

    function produced(uint256 memberId, Source source) external view returns (uint256) {
        return totals[memberId][source];
    }

    /// Grams of CO2 that the member's solar energy saved, by its certificate.
    function carbonOffset(uint256 memberId) external view returns (uint256) {
        return totals[memberId][Source.Solar] * members[memberId].offset / 1000;
    }

    function ownerOf(uint256 memberId) public view override returns (address) {
        return members[memberId].owner;
    }

    function isVerified(uint256 memberId) public view override returns (bool) {
        return members[memberId].certified;
    }
}
