// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {GatewayKeys} from "./GatewayKeys.sol";
import {RecordChains} from "./RecordChains.sol";

/// The microgrids of an operator, the evidence of their gateways, and the devices in each. Reference version.
contract DeviceRegistry is GatewayKeys, AccessControl {
    bytes32 public constant VALIDATOR_ROLE = keccak256("VALIDATOR_ROLE");
    uint256 public constant DEVICES_MAX = 64; // of one microgrid
    uint256 public constant TEXT_MAX = 64;

    enum Status {
        Online,
        Silent,
        Faulty
    }

    struct Microgrid {
        address owner;
        bool validated;
        uint32 alerts; // bit for each code of the gateway's alerts that stands
        uint8 severity; // 0 none, 1 notice, 2 warning, 3 critical
    }

    struct Device {
        string name; // as the site calls it
        string kind; // inverter, battery, meter, ...
        string model;
        Status status;
        uint48 since; // Unix seconds
    }

    mapping(uint256 microgridId => Microgrid) private microgrids;
    mapping(uint256 microgridId => Device[]) private devices;
    mapping(uint256 microgridId => mapping(bytes32 name => uint256)) private placeOf; // one more than the index
    uint256 public microgridCount;

    event MicrogridRegistered(uint256 indexed microgridId, address indexed owner);
    event MicrogridValidated(uint256 indexed microgridId, address indexed validator, uint256 sequence);
    event DeviceRegistered(uint256 indexed microgridId, string name, string kind, string model);
    event DeviceStatus(uint256 indexed microgridId, string name, Status status);
    event MaintenanceAlert(uint256 indexed microgridId, uint32 alerts, uint8 severity);

    error NoEvidence(uint256 microgridId);
    error BadDevice();
    error TooManyDevices();

    constructor(address admin, uint256 ring) RecordChains(ring) {
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        _grantRole(VALIDATOR_ROLE, admin);
    }

    /// By the owner. Ids begin at 1.
    function registerMicrogrid() external returns (uint256 microgridId) {
        microgridId = ++microgridCount;
        microgrids[microgridId].owner = msg.sender;
        emit MicrogridRegistered(microgridId, msg.sender);
    }

    /// By a validator, once a signed record was accepted from there.
    function validateData(uint256 microgridId) external onlyRole(VALIDATOR_ROLE) {
        _knownOwner(microgridId);
        uint256 sequence = lastSequence(gatewayOf[microgridId]);
        if (sequence == 0) revert NoEvidence(microgridId);
        microgrids[microgridId].validated = true;
        emit MicrogridValidated(microgridId, msg.sender, sequence);
    }

    /// By the microgrid's gateway: a device, new or changed. Its name is its place.
    function registerDevice(string calldata name, string calldata kind, string calldata model, Status status) external {
        uint256 id = _assetOfCaller();
        uint256 length = bytes(name).length;
        if (length == 0 || length > TEXT_MAX || bytes(kind).length > TEXT_MAX) revert BadDevice();
        if (bytes(model).length > TEXT_MAX) revert BadDevice();
        uint256 place = placeOf[id][keccak256(bytes(name))];
        Device memory device = Device(name, kind, model, status, uint48(block.timestamp));
        if (place == 0) {
            if (devices[id].length >= DEVICES_MAX) revert TooManyDevices();
            devices[id].push(device);
            placeOf[id][keccak256(bytes(name))] = devices[id].length;
        } else {
            devices[id][place - 1] = device;
        }
        emit DeviceRegistered(id, name, kind, model);
        emit DeviceStatus(id, name, status);
    }

    /// By the microgrid's gateway: the alerts that stand now.
    function reportAlerts(uint32 alerts, uint8 severity) external {
        uint256 id = _assetOfCaller();
        microgrids[id].alerts = alerts;
        microgrids[id].severity = severity;
        emit MaintenanceAlert(id, alerts, severity);
    }

    function getMicrogrid(uint256 microgridId) external view returns (Microgrid memory) {
        return microgrids[microgridId];
    }

    function getDevices(uint256 microgridId) external view returns (Device[] memory) {
        return devices[microgridId];
    }

    function ownerOf(uint256 microgridId) public view override returns (address) {
        return microgrids[microgridId].owner;
    }

    function isVerified(uint256 microgridId) public view override returns (bool) {
        return microgrids[microgridId].validated;
    }
}
