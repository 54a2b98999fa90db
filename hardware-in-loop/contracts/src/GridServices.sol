// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Orders} from "./Orders.sol";
import {StorageVerification} from "./StorageVerification.sol";

/// Grid services of storages: each an offer of one storage, ordered and paid as in Orders.sol, one order at a
/// time for each service. Reference version.
contract GridServices is Orders {
    enum ServiceType {
        FrequencyRegulation,
        PeakShaving,
        LoadShifting,
        VoltageSupport,
        EmergencyBackup
    }

    struct Service {
        uint256 storageId;
        ServiceType service;
        uint256 capacity; // kW, 18 decimals
    }

    mapping(uint256 serviceId => Service) private services;
    uint256 public serviceCount;

    event ServiceRegistered(
        uint256 indexed serviceId, uint256 indexed storageId, ServiceType service, uint256 capacity
    );

    error UnknownService(uint256 serviceId);

    constructor(address admin, StorageVerification verification) Orders(admin, verification) {}

    /// By a bound gateway, for its own storage.
    function registerService(ServiceType service, uint256 capacity) external returns (uint256) {
        if (!evidence.isActive(msg.sender)) revert NotAllowed(msg.sender);
        return _register(evidence.storageOf(msg.sender), service, capacity);
    }

    /// The same, by the storage's owner.
    function registerServiceFor(uint256 storageId, ServiceType service, uint256 capacity)
        external
        returns (uint256)
    {
        if (msg.sender != evidence.ownerOf(storageId)) revert NotAllowed(msg.sender);
        return _register(storageId, service, capacity);
    }

    /// `parameters` = abi.encode(uint64 notBefore, uint64 notAfter, int64 energyWh, int256[] values).
    function executeService(uint256 serviceId, bytes calldata parameters)
        external
        payable
        onlyRole(OPERATOR_ROLE)
        returns (bytes32 commandId)
    {
        Service storage service = _known(serviceId);
        Terms memory terms;
        (terms.notBefore, terms.notAfter, terms.energyWh, terms.values) =
            abi.decode(parameters, (uint64, uint64, int64, int256[]));
        return _order(serviceId, service.storageId, uint8(service.service), terms);
    }

    /// By anybody, once StorageVerification holds the Delivery record of the order.
    function validateServiceDelivery(uint256 serviceId) external returns (uint16 shareBp) {
        return _validate(serviceId);
    }

    /// By anybody, once validated.
    function settlePayments(uint256 serviceId) external {
        _settle(serviceId);
    }

    /// By the operator of the newest order, when no evidence came in time.
    function cancelService(uint256 serviceId) external {
        _cancel(serviceId);
    }

    function getService(uint256 serviceId) external view returns (Service memory) {
        return _known(serviceId);
    }

    function _register(uint256 storageId, ServiceType service, uint256 capacity) private returns (uint256 serviceId) {
        if (!evidence.isVerified(storageId)) revert NotVerified(storageId);
        serviceId = ++serviceCount;
        services[serviceId] = Service(storageId, service, capacity);
        emit ServiceRegistered(serviceId, storageId, service, capacity);
    }

    function _known(uint256 serviceId) private view returns (Service storage service) {
        service = services[serviceId];
        if (service.storageId == 0) revert UnknownService(serviceId);
    }
}
