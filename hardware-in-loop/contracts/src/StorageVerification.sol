// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {RecordChains} from "./RecordChains.sol";
import {Records} from "./Records.sol";

/// The register of battery storages and the gateway key that speaks for each. Reference version.
///
/// An owner registers a storage and binds a gateway key; a verifier confirms the installation once signed
/// evidence has arrived from it. A key is bound to one storage, once, for ever: a new key begins a new chain,
/// so no record of an old one can be played again.
contract StorageVerification is RecordChains, AccessControl {
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
        address gateway; // zero: none, or revoked
        bool verified;
        StorageSpecs specs;
    }

    mapping(uint256 storageId => StorageDetails) private storages;
    uint256 public storageCount;

    event StorageRegistered(uint256 indexed storageId, address indexed owner, StorageSpecs specs);
    event GatewayKeySet(uint256 indexed storageId, address indexed gateway, bytes32 site, address before);
    event InstallationVerified(uint256 indexed storageId, address indexed verifier, uint256 sequence);
    event CapacityUpdated(uint256 indexed storageId, uint256 before, uint256 capacity);

    error UnknownStorage(uint256 storageId);
    error NotAllowed(address caller);
    error BadSpecs();
    error KeyAlreadyUsed(address gateway);
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
        StorageDetails storage details = storages[storageId];
        details.owner = owner;
        details.specs = specs;
        emit StorageRegistered(storageId, owner, specs);
    }

    /// Binds, rotates or (gateway = 0) revokes the key. `site` = keccak256(site id). By the storage's owner.
    function setGatewayKey(uint256 storageId, address gateway, bytes32 site) external {
        StorageDetails storage details = _known(storageId);
        if (msg.sender != details.owner) revert NotAllowed(msg.sender);
        address before = details.gateway;
        if (before != address(0)) _close(before);
        if (gateway != address(0)) {
            if (storageOf[gateway] != 0) revert KeyAlreadyUsed(gateway);
            _open(gateway, storageId, site);
        }
        details.gateway = gateway;
        emit GatewayKeySet(storageId, gateway, site, before);
    }

    /// By a verifier, after commissioning: at least one signed record must have been accepted.
    function verifyInstallation(uint256 storageId) external onlyRole(VERIFIER_ROLE) {
        StorageDetails storage details = _known(storageId);
        uint256 sequence = lastSequence(details.gateway);
        if (sequence == 0) revert NoEvidence(storageId);
        details.verified = true;
        emit InstallationVerified(storageId, msg.sender, sequence);
    }

    /// Usable capacity (kWh, 18 decimals) as measured: by the owner, the bound gateway or a verifier.
    function updateCapacity(uint256 storageId, uint256 newCapacity) external {
        StorageDetails storage details = _known(storageId);
        bool allowed = msg.sender == details.owner || msg.sender == details.gateway;
        if (!allowed && !hasRole(VERIFIER_ROLE, msg.sender)) revert NotAllowed(msg.sender);
        if (newCapacity == 0) revert BadSpecs();
        emit CapacityUpdated(storageId, details.specs.capacity, newCapacity);
        details.specs.capacity = newCapacity;
    }

    function getStorageDetails(uint256 storageId) external view returns (StorageDetails memory) {
        return _known(storageId);
    }

    function gatewayOf(uint256 storageId) external view returns (address) {
        return storages[storageId].gateway;
    }

    function ownerOf(uint256 storageId) external view returns (address) {
        return storages[storageId].owner;
    }

    /// The aggregates of the newest interval of the storage's present key.
    function latest(uint256 storageId) external view returns (Records.Aggregates memory) {
        return latestOf(_known(storageId).gateway);
    }

    function _known(uint256 storageId) private view returns (StorageDetails storage details) {
        details = storages[storageId];
        if (details.owner == address(0)) revert UnknownStorage(storageId);
    }
}
