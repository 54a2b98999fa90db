// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {GatewayKeys} from "./GatewayKeys.sol";
import {RecordChains} from "./RecordChains.sol";

/// Orders at an asset, paid by signed delivery evidence and nothing else. What may be ordered by which
/// function is each system's own; here are the event that gateways obey, the escrow and the rule of payment.
///
/// The payment is held in escrow; the gateway obeys ServiceOrdered, and its Delivery record, once accepted by
/// `evidence`, decides the share. In basis points of the escrow:
///   an order of energy (energyWh != 0)    share = delivered / ordered, same direction, at most all
///   an order of availability (energyWh 0)  share = the record's `available`, if the command was done
/// A share of FULL_BP or more pays in full, one below NOTHING_BP pays nothing; the rest goes back.
abstract contract Orders is AccessControl {
    bytes32 public constant OPERATOR_ROLE = keccak256("OPERATOR_ROLE");
    uint256 public constant FULL_BP = 9500;
    uint256 public constant NOTHING_BP = 5000;
    uint256 public constant GRACE_MS = 60_000; // a delivery may begin or end this far outside its window
    uint256 public constant PARAMETERS_MAX = 16; // every gateway reads every order's event
    uint256 public constant EVIDENCE_TIME = 2 days; // after the window; then the operator may take back

    enum OrderState {
        None,
        Ordered,
        Validated,
        Settled,
        Cancelled
    }

    /// Times in Unix seconds, energy in Wh, + = discharge. `count`: orders under the same key so far.
    struct Order {
        bytes32 commandId;
        address operator;
        uint64 notBefore;
        uint64 notAfter;
        int64 energyWh;
        OrderState state;
        uint16 shareBp;
        uint256 payment;
        uint256 assetId;
        uint256 count;
    }

    /// What an order asks: its window, its energy, and the service's integers in canonical units.
    struct Terms {
        uint64 notBefore;
        uint64 notAfter;
        int64 energyWh;
        int256[] values;
    }

    GatewayKeys public immutable evidence;
    mapping(uint256 key => Order) private orders; // the newest under each key
    mapping(address account => uint256) public credit; // what `withdraw` pays out

    /// What gateways obey. `service` is a number of the system's own list.
    event ServiceOrdered(
        bytes32 indexed commandId,
        uint256 indexed key,
        uint256 indexed assetId,
        uint8 service,
        uint64 notBefore,
        uint64 notAfter,
        int64 energyWh,
        int256[] parameters,
        uint256 payment
    );
    event ServiceValidated(uint256 indexed key, bytes32 indexed commandId, uint16 shareBp);
    event ServiceSettled(
        uint256 indexed key, bytes32 indexed commandId, address indexed owner, uint256 paid, uint256 returned
    );
    event ServiceCancelled(uint256 indexed key, bytes32 indexed commandId, uint256 returned);
    event EmergencyStop(uint256 indexed assetId, address indexed operator);

    error NotAllowed(address caller);
    error NotVerified(uint256 assetId);
    error WrongState(OrderState state);
    error BadWindow();
    error TooManyParameters();
    error NoDelivery(bytes32 commandId);
    error HasEvidence(bytes32 commandId);
    error OutsideWindow(uint256 start, uint256 end);
    error TooEarly(uint256 until);
    error PaymentFailed(address to);

    constructor(address admin, GatewayKeys evidence_) {
        evidence = evidence_;
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        _grantRole(OPERATOR_ROLE, admin);
    }

    /// Must reach the battery at once: gateways stop on sight of it. Ends no order; evidence decides those.
    function emergencyStop(uint256 assetId) external onlyRole(OPERATOR_ROLE) {
        emit EmergencyStop(assetId, msg.sender);
    }

    function getOrder(uint256 key) external view returns (Order memory) {
        return orders[key];
    }

    function withdraw() external {
        uint256 amount = credit[msg.sender];
        credit[msg.sender] = 0;
        if (!_pay(msg.sender, amount)) revert PaymentFailed(msg.sender);
    }

    // ---- for the systems' own functions -----------------------------------------------------------------

    /// Holds the value sent until settlement. One order at a time under a key.
    function _order(uint256 key, uint256 assetId, uint8 service, Terms memory terms)
        internal
        returns (bytes32 commandId)
    {
        Order storage order = orders[key];
        if (order.state == OrderState.Ordered || order.state == OrderState.Validated) revert WrongState(order.state);
        if (terms.notAfter <= terms.notBefore || terms.notAfter <= block.timestamp) revert BadWindow();
        if (terms.notAfter > type(uint40).max) revert BadWindow();
        if (terms.values.length > PARAMETERS_MAX) revert TooManyParameters();
        uint256 count = order.count + 1;
        commandId = keccak256(abi.encode(block.chainid, address(this), key, count));
        orders[key] = Order({
            commandId: commandId,
            operator: msg.sender,
            notBefore: terms.notBefore,
            notAfter: terms.notAfter,
            energyWh: terms.energyWh,
            state: OrderState.Ordered,
            shareBp: 0,
            payment: msg.value,
            assetId: assetId,
            count: count
        });
        emit ServiceOrdered(
            commandId,
            key,
            assetId,
            service,
            terms.notBefore,
            terms.notAfter,
            terms.energyWh,
            terms.values,
            msg.value
        );
    }

    /// By anybody, once the Delivery record of the order is accepted.
    function _validate(uint256 key) internal returns (uint16 shareBp) {
        Order storage order = _inState(key, OrderState.Ordered);
        bytes32 commandId = order.commandId;
        (RecordChains.Delivered memory d, bool inTime) = _delivered(order);
        if (d.sequence == 0) revert NoDelivery(commandId);
        if (!inTime) revert OutsideWindow(d.start, d.end);
        shareBp = uint16(_payable(_share(order, d)));
        order.shareBp = shareBp;
        order.state = OrderState.Validated;
        emit ServiceValidated(key, commandId, shareBp);
    }

    /// By anybody: pays the asset's owner the validated share, once; the rest is the operator's credit. An
    /// owner that does not take the payment gets a credit too, and holds up nobody else's money.
    function _settle(uint256 key) internal {
        Order storage order = _inState(key, OrderState.Validated);
        order.state = OrderState.Settled;
        uint256 paid = (order.payment * order.shareBp) / 10_000;
        uint256 returned = order.payment - paid;
        credit[order.operator] += returned;
        address owner = evidence.ownerOf(order.assetId);
        emit ServiceSettled(key, order.commandId, owner, paid, returned);
        if (!_pay(owner, paid)) credit[owner] += paid;
    }

    /// By the operator of the order, when no valid evidence has come in EVIDENCE_TIME after its window.
    function _cancel(uint256 key) internal {
        Order storage order = _inState(key, OrderState.Ordered);
        if (msg.sender != order.operator) revert NotAllowed(msg.sender);
        if (block.timestamp <= order.notAfter + EVIDENCE_TIME) revert TooEarly(order.notAfter + EVIDENCE_TIME);
        (, bool inTime) = _delivered(order);
        if (inTime) revert HasEvidence(order.commandId);
        order.state = OrderState.Cancelled;
        credit[order.operator] += order.payment;
        emit ServiceCancelled(key, order.commandId, order.payment);
    }

    // ---- internals --------------------------------------------------------------------------------------

    function _inState(uint256 key, OrderState wanted) private view returns (Order storage order) {
        order = orders[key];
        if (order.state != wanted) revert WrongState(order.state);
    }

    /// The Delivery record of an order, and whether there is one that keeps to the order's window.
    function _delivered(Order storage order) private view returns (RecordChains.Delivered memory d, bool inTime) {
        d = evidence.deliveryOf(order.assetId, order.commandId);
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
