// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {StorageVerification} from "./StorageVerification.sol";

/// A pool of storages whose capacity is sold as one. Reference version.
///
/// Each member says how much it has available; an operator allocates a part of all of it, and every member's
/// share is an obligation to hold that much back for a while: gateways obey CapacityAllocated.
contract CapacityAggregation is AccessControl {
    bytes32 public constant OPERATOR_ROLE = keccak256("OPERATOR_ROLE");
    uint256 public constant MEMBERS_MAX = 256; // allocation walks them all
    uint64 public constant ALLOCATION_TIME = 1 hours;

    /// Capacities in kWh, 18 decimals. `place` is one more than its index in `members`; 0: not a member.
    struct Member {
        uint256 place;
        uint256 available;
        uint256 allocated;
        uint64 until;
    }

    StorageVerification public immutable verification;
    uint256[] private members;
    mapping(uint256 storageId => Member) private memberOf;
    uint256 private orders;

    event PoolJoined(uint256 indexed storageId, uint256 availableCapacity);
    event PoolLeft(uint256 indexed storageId);
    /// What gateways obey: hold `shareBp` of the storage's capacity back from `notBefore` to `notAfter`.
    event CapacityAllocated(
        bytes32 indexed commandId,
        uint256 indexed storageId,
        uint256 capacity,
        uint16 shareBp,
        uint64 notBefore,
        uint64 notAfter
    );

    error NotAllowed(address caller);
    error NotVerified(uint256 storageId);
    error NotMember(uint256 storageId);
    error PoolFull();
    error NotEnough(uint256 available);

    constructor(address admin, StorageVerification verification_) {
        verification = verification_;
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        _grantRole(OPERATOR_ROLE, admin);
    }

    /// Joins, or says anew what is available; by the storage's owner or its gateway.
    function joinPool(uint256 storageId, uint256 availableCapacity) external {
        _onlySpeaker(storageId);
        if (!verification.isVerified(storageId)) revert NotVerified(storageId);
        Member storage member = memberOf[storageId];
        if (member.place == 0) {
            if (members.length >= MEMBERS_MAX) revert PoolFull();
            members.push(storageId);
            member.place = members.length;
        }
        uint256 most = verification.getStorageDetails(storageId).specs.capacity;
        member.available = availableCapacity < most ? availableCapacity : most;
        emit PoolJoined(storageId, member.available);
    }

    function leavePool(uint256 storageId) external {
        _onlySpeaker(storageId);
        uint256 place = _known(storageId).place;
        uint256 last = members[members.length - 1];
        members[place - 1] = last;
        memberOf[last].place = place;
        members.pop();
        delete memberOf[storageId];
        emit PoolLeft(storageId);
    }

    /// Splits `requiredCapacity` over all members by what each has free.
    function allocateCapacity(uint256 requiredCapacity) external onlyRole(OPERATOR_ROLE) {
        uint256[] memory ids = members;
        uint256[] memory free = new uint256[](ids.length);
        for (uint256 i = 0; i < ids.length; ++i) {
            free[i] = _free(memberOf[ids[i]]);
        }
        _split(ids, free, requiredCapacity);
    }

    /// Splits anew, among these members, what they hold together: by what each has available now.
    function redistributeLoad(uint256[] calldata storageIds) external onlyRole(OPERATOR_ROLE) {
        uint256[] memory free = new uint256[](storageIds.length);
        uint256 held = 0;
        for (uint256 i = 0; i < storageIds.length; ++i) {
            Member storage member = _known(storageIds[i]);
            held += _held(member);
            member.allocated = 0;
            free[i] = member.available;
        }
        _split(storageIds, free, held);
    }

    function getMember(uint256 storageId) external view returns (Member memory) {
        return memberOf[storageId];
    }

    function memberCount() external view returns (uint256) {
        return members.length;
    }

    function _split(uint256[] memory ids, uint256[] memory free, uint256 required) private {
        uint256 total = 0;
        for (uint256 i = 0; i < ids.length; ++i) total += free[i];
        if (required == 0 || total < required) revert NotEnough(total);
        for (uint256 i = 0; i < ids.length; ++i) {
            uint256 part = required * free[i] / total;
            if (part != 0) _allocate(ids[i], part);
        }
    }

    function _allocate(uint256 storageId, uint256 part) private {
        Member storage member = memberOf[storageId];
        member.allocated = _held(member) + part;
        member.until = uint64(block.timestamp) + ALLOCATION_TIME;
        uint256 whole = verification.getStorageDetails(storageId).specs.capacity;
        emit CapacityAllocated(
            keccak256(abi.encode(block.chainid, address(this), storageId, ++orders)),
            storageId,
            member.allocated,
            uint16(_least(member.allocated * 10_000 / whole, 10_000)),
            uint64(block.timestamp),
            member.until
        );
    }

    function _held(Member storage member) private view returns (uint256) {
        return member.until > block.timestamp ? member.allocated : 0;
    }

    function _free(Member storage member) private view returns (uint256) {
        uint256 held = _held(member);
        return member.available > held ? member.available - held : 0;
    }

    function _known(uint256 storageId) private view returns (Member storage member) {
        member = memberOf[storageId];
        if (member.place == 0) revert NotMember(storageId);
    }

    function _onlySpeaker(uint256 storageId) private view {
        if (msg.sender == verification.ownerOf(storageId)) return;
        if (msg.sender != verification.gatewayOf(storageId)) revert NotAllowed(msg.sender);
    }

    function _least(uint256 a, uint256 b) private pure returns (uint256) {
        return a < b ? a : b;
    }
}
