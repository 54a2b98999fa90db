// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {RecordChains} from "./RecordChains.sol";
import {StorageVerification} from "./StorageVerification.sol";

/// Grid services ordered from storages, paid by signed delivery evidence and nothing else. Reference version.
///
/// A service is an offer of one storage. An operator orders it with the payment in escrow; the gateway obeys
/// the ServiceOrdered event and its Delivery record, once accepted by StorageVerification, decides the share.
///
/// The rule of payment, in basis points of the escrow:
///   an order of energy (energyWh != 0)    share = delivered / ordered, same direction, at most all
///   an order of availability (energyWh 0)  share = the record's `available`, if the command was done
/// A share of FULL_BP or more pays in full, one below NOTHING_BP pays nothing; the rest goes back.
contract GridServices is AccessControl {
    bytes32 public constant OPERATOR_ROLE = keccak256("OPERATOR_ROLE");
    uint256 public constant FULL_BP = 9500;
    uint256 public constant NOTHING_BP = 5000;
    uint256 public constant GRACE_MS = 60_000; // a delivery may begin or end this far outside its window
    uint256 public constant PARAMETERS_MAX = 16; // every gateway reads every order's event
    uint256 public constant EVIDENCE_TIME = 2 days; // after the window; then the operator may take back

    enum ServiceType {
        FrequencyRegulation,
        PeakShaving,
        LoadShifting,
        VoltageSupport,
        EmergencyBackup
    }

    enum OrderState {
        None,
        Ordered,
        Validated,
        Settled,
        Cancelled
    }

    struct Service {
        uint256 storageId;
        ServiceType service;
        uint256 capacity; // kW, 18 decimals
        uint256 orders; // how many were given so far
    }

    /// The newest order of a service. Times in Unix seconds, energy in Wh, + = discharge.
    struct Order {
        bytes32 commandId;
        address operator;
        uint64 notBefore;
        uint64 notAfter;
        int64 energyWh;
        OrderState state;
        uint16 shareBp;
        uint256 payment;
    }

    StorageVerification public immutable verification;
    mapping(uint256 serviceId => Service) private services;
    mapping(uint256 serviceId => Order) private orders;
    mapping(address account => uint256) public credit; // what `withdraw` pays out
    uint256 public serviceCount;

    event ServiceRegistered(
        uint256 indexed serviceId, uint256 indexed storageId, ServiceType service, uint256 capacity
    );
    /// What gateways obey. `parameters` are the service's integers, in canonical units.
    event ServiceOrdered(
        bytes32 indexed commandId,
        uint256 indexed serviceId,
        uint256 indexed storageId,
        ServiceType service,
        uint64 notBefore,
        uint64 notAfter,
        int64 energyWh,
        int256[] parameters,
        uint256 payment
    );
    event ServiceValidated(uint256 indexed serviceId, bytes32 indexed commandId, uint16 shareBp);
    event ServiceSettled(
        uint256 indexed serviceId, bytes32 indexed commandId, address indexed owner, uint256 paid, uint256 returned
    );
    event ServiceCancelled(uint256 indexed serviceId, bytes32 indexed commandId, uint256 returned);
    event EmergencyStop(uint256 indexed storageId, address indexed operator);

    error NotAllowed(address caller);
    error UnknownService(uint256 serviceId);
    error NotVerified(uint256 storageId);
    error WrongState(OrderState state);
    error BadWindow();
    error TooManyParameters();
    error NoDelivery(bytes32 commandId);
    error HasEvidence(bytes32 commandId);
    error OutsideWindow(uint256 start, uint256 end);
    error TooEarly(uint256 until);
    error PaymentFailed(address to);

    constructor(address admin, StorageVerification verification_) {
        verification = verification_;
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        _grantRole(OPERATOR_ROLE, admin);
    }

    /// By a bound gateway, for its own storage.
    function registerService(ServiceType service, uint256 capacity) external returns (uint256) {
        if (!verification.isActive(msg.sender)) revert NotAllowed(msg.sender);
        return _register(verification.storageOf(msg.sender), service, capacity);
    }

    /// The same, by the storage's owner.
    function registerServiceFor(uint256 storageId, ServiceType service, uint256 capacity)
        external
        returns (uint256)
    {
        if (msg.sender != verification.ownerOf(storageId)) revert NotAllowed(msg.sender);
        return _register(storageId, service, capacity);
    }

    /// Orders a service; the value sent is held until settlement. One order at a time for each service.
    /// `parameters` = abi.encode(uint64 notBefore, uint64 notAfter, int64 energyWh, int256[] values).
    function executeService(uint256 serviceId, bytes calldata parameters)
        external
        payable
        onlyRole(OPERATOR_ROLE)
        returns (bytes32 commandId)
    {
        Service storage service = _known(serviceId);
        Order storage order = orders[serviceId];
        if (order.state == OrderState.Ordered || order.state == OrderState.Validated) revert WrongState(order.state);
        (uint64 notBefore, uint64 notAfter, int64 energyWh, int256[] memory values) =
            abi.decode(parameters, (uint64, uint64, int64, int256[]));
        if (notAfter <= notBefore || notAfter <= block.timestamp || notAfter > type(uint40).max) revert BadWindow();
        if (values.length > PARAMETERS_MAX) revert TooManyParameters();
        commandId = keccak256(abi.encode(block.chainid, address(this), serviceId, ++service.orders));
        orders[serviceId] = Order({
            commandId: commandId,
            operator: msg.sender,
            notBefore: notBefore,
            notAfter: notAfter,
            energyWh: energyWh,
            state: OrderState.Ordered,
            shareBp: 0,
            payment: msg.value
        });
        emit ServiceOrdered(
            commandId,
            serviceId,
            service.storageId,
            service.service,
            notBefore,
            notAfter,
            energyWh,
            values,
            msg.value
        );
    }

    /// By anybody, once StorageVerification holds the Delivery record of the order.
    function validateServiceDelivery(uint256 serviceId) external returns (uint16 shareBp) {
        Order storage order = _inState(serviceId, OrderState.Ordered);
        bytes32 commandId = order.commandId;
        (RecordChains.Delivered memory d, bool inTime) = _delivered(serviceId, order);
        if (d.sequence == 0) revert NoDelivery(commandId);
        if (!inTime) revert OutsideWindow(d.start, d.end);
        shareBp = uint16(_payable(_share(order, d)));
        order.shareBp = shareBp;
        order.state = OrderState.Validated;
        emit ServiceValidated(serviceId, commandId, shareBp);
    }

    /// By anybody: pays the storage's owner the validated share, once; the rest is the operator's credit. An
    /// owner that does not take the payment gets a credit too, and holds up nobody else's money.
    function settlePayments(uint256 serviceId) external {
        Order storage order = _inState(serviceId, OrderState.Validated);
        order.state = OrderState.Settled;
        uint256 paid = (order.payment * order.shareBp) / 10_000;
        uint256 returned = order.payment - paid;
        credit[order.operator] += returned;
        address owner = verification.ownerOf(services[serviceId].storageId);
        emit ServiceSettled(serviceId, order.commandId, owner, paid, returned);
        if (!_pay(owner, paid)) credit[owner] += paid;
    }

    /// By the operator of the order, when no valid evidence has come in EVIDENCE_TIME after its window.
    function cancelService(uint256 serviceId) external {
        Order storage order = _inState(serviceId, OrderState.Ordered);
        if (msg.sender != order.operator) revert NotAllowed(msg.sender);
        if (block.timestamp <= order.notAfter + EVIDENCE_TIME) revert TooEarly(order.notAfter + EVIDENCE_TIME);
        (, bool inTime) = _delivered(serviceId, order);
        if (inTime) revert HasEvidence(order.commandId);
        order.state = OrderState.Cancelled;
        credit[order.operator] += order.payment;
        emit ServiceCancelled(serviceId, order.commandId, order.payment);
    }

    function withdraw() external {
        uint256 amount = credit[msg.sender];
        credit[msg.sender] = 0;
        if (!_pay(msg.sender, amount)) revert PaymentFailed(msg.sender);
    }

    /// Must reach the battery at once: gateways stop on sight of it. Ends no order; evidence decides those.
    function emergencyStop(uint256 storageId) external onlyRole(OPERATOR_ROLE) {
        emit EmergencyStop(storageId, msg.sender);
    }

    function getService(uint256 serviceId) external view returns (Service memory) {
        return _known(serviceId);
    }

    function getOrder(uint256 serviceId) external view returns (Order memory) {
        return orders[serviceId];
    }

    function _register(uint256 storageId, ServiceType service, uint256 capacity) private returns (uint256 serviceId) {
        if (!verification.getStorageDetails(storageId).verified) revert NotVerified(storageId);
        serviceId = ++serviceCount;
        services[serviceId] = Service(storageId, service, capacity, 0);
        emit ServiceRegistered(serviceId, storageId, service, capacity);
    }

    function _known(uint256 serviceId) private view returns (Service storage service) {
        service = services[serviceId];
        if (service.storageId == 0) revert UnknownService(serviceId);
    }

    function _inState(uint256 serviceId, OrderState wanted) private view returns (Order storage order) {
        order = orders[serviceId];
        if (order.state != wanted) revert WrongState(order.state);
    }

    /// The Delivery record of an order, and whether there is one that keeps to the order's window.
    function _delivered(uint256 serviceId, Order storage order)
        private
        view
        returns (RecordChains.Delivered memory d, bool inTime)
    {
        d = verification.deliveryOf(services[serviceId].storageId, order.commandId);
        bool early = d.start + GRACE_MS < uint256(order.notBefore) * 1000;
        bool late = d.end > uint256(order.notAfter) * 1000 + GRACE_MS;
        inTime = d.sequence != 0 && !early && !late;
    }

    /// Basis points of what was ordered that was delivered, at most 10,000.
    function _share(Order storage order, RecordChains.Delivered memory d) private view returns (uint256) {
        if (order.energyWh == 0) return d.outcome != 2 ? 0 : _least(d.available, 10_000);
        int256 product = int256(d.energy) * int256(order.energyWh);
        if (product <= 0) return 0;
        int256 square = int256(order.energyWh) * int256(order.energyWh);
        return _least(uint256(product * 10_000 / square), 10_000);
    }

    function _payable(uint256 shareBp) private pure returns (uint256) {
        if (shareBp >= FULL_BP) return 10_000;
        return shareBp < NOTHING_BP ? 0 : shareBp;
    }

    function _least(uint256 a, uint256 b) private pure returns (uint256) {
        return a < b ? a : b;
    }

    function _pay(address to, uint256 amount) private returns (bool ok) {
        (ok,) = to.call{value: amount}("");
    }
}
