// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {GatewayKeys} from "./GatewayKeys.sol";
import {RecordChains} from "./RecordChains.sol";

/// The register of battery storages; the evidence of the gateways that speak for them. Reference version.
///
/// An owner registers a storage and binds a gateway key; a verifier confirms the installation once signed
/// evidence has arrived from it.
contract StorageVerification is GatewayKeys, AccessControl {
    bytes32 public constant VERIFIER_ROLE = keccak256("VERIFIER_ROLE");

    struct StorageSpecs {
        uint256 capacity; // kWh, 18 decimals
        uint256 maxPower; // kW, 18 decimals
        uint256 efficiency; // percent
        string location;
        string batteryType; // "LITHIUM_ION"
    }

    struct StorageDetails {
        address owner;
        bool verified;
        StorageSpecs specs;
    }

    mapping(uint256 storageId => StorageDetails) private storages;
    uint256 public storageCount;

    event StorageRegistered(uint256 indexed storageId, address indexed owner, StorageSpecs specs);
    event InstallationVerified(uint256 indexed storageId, address indexed verifier, uint256 sequence);
    event CapacityUpdated(uint256 indexed storageId, uint256 before, uint256 capacity);

    error BadSpecs();
    error NoEvidence(uint256 storageId); // no signed record has been accepted yet

    /// `ring`: how many of a key's newest records stay provable on chain (RecordChains.RING).
    constructor(address admin, uint256 ring) RecordChains(ring) {
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        _grantRole(VERIFIER_ROLE, admin);
    }

    /// By the owner, or by an administrator on the owner's behalf. Ids begin at 1.
    function registerStorage(address owner, StorageSpecs calldata specs) external returns (uint256 storageId) {
        if (msg.sender != owner && !hasRole(DEFAULT_ADMIN_ROLE, msg.sender)) revert NotAllowed(msg.sender);
        if (owner == address(0) || specs.capacity == 0 || specs.maxPower == 0) revert BadSpecs();
        if (specs.efficiency == 0 || specs.efficiency > 100) revert BadSpecs();
        storageId = ++storageCount;
        storages[storageId] = StorageDetails(owner, false, specs);
        emit StorageRegistered(storageId, owner, specs);
    }

    /// By a verifier, after commissioning: at least one signed record must have been accepted.
    function verifyInstallation(uint256 storageId) external onlyRole(VERIFIER_ROLE) {
        _knownOwner(storageId);
        uint256 sequence = lastSequence(gatewayOf[storageId]);
        if (sequence == 0) revert NoEvidence(storageId);
        storages[storageId].verified = true;
        emit InstallationVerified(storageId, msg.sender, sequence);
    }

    /// Usable capacity (kWh, 18 decimals) as measured: by the owner, the bound gateway or a verifier.
    function updateCapacity(uint256 storageId, uint256 newCapacity) external {
        bool allowed = msg.sender == _knownOwner(storageId) || msg.sender == gatewayOf[storageId];
        if (!allowed && !hasRole(VERIFIER_ROLE, msg.sender)) revert NotAllowed(msg.sender);
        if (newCapacity == 0) revert BadSpecs();
        StorageSpecs storage specs = storages[storageId].specs;
        emit CapacityUpdated(storageId, specs.capacity, newCapacity);
        specs.capacity = newCapacity;
    }

    function getStorageDetails(uint256 storageId) external view returns (StorageDetails memory) {
        _knownOwner(storageId);
        return storages[storageId];
    }

    function ownerOf(uint256 storageId) public view override returns (address) {
        return storages[storageId].owner;
    }

    function isVerified(uint256 storageId) public view override returns (bool) {
        return storages[storageId].verified;
    }
}
