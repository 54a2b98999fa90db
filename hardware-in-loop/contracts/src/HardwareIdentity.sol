// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {P256} from "@openzeppelin/contracts/utils/cryptography/P256.sol";

/// Which P-256 keys of hardware vouch for which gateway keys (docs/attestation.md, Endorsement).
///
/// For a token that has no secp256k1. Anybody may hand in the statement: the signature is the authority, and whom to
/// believe is for who asks, by the identity that they know. Verified by the precompile of EIP-7951 at 0x100 where the
/// chain has it, in Solidity elsewhere. Stands beside an evidence contract, whose domain the statements are made in.
contract HardwareIdentity {
    bytes32 private constant DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant ENDORSEMENT_TYPEHASH =
        keccak256("Endorsement(bytes32 site,address key,uint64 at,bytes32 x,bytes32 y)");

    address public immutable evidence;

    mapping(address key => mapping(bytes32 identity => uint64)) private since;

    event Endorsed(address indexed key, bytes32 indexed identity, bytes32 site, uint64 atMs, bytes32 x, bytes32 y);

    error NotByThisIdentity();

    constructor(address evidence_) {
        evidence = evidence_;
    }

    function endorse(bytes32 site, address key, uint64 atMs, bytes32 x, bytes32 y, bytes32 r, bytes32 s) external {
        bytes32 domain =
            keccak256(abi.encode(DOMAIN_TYPEHASH, keccak256("Gridseal"), keccak256("1"), block.chainid, evidence));
        bytes32 said = keccak256(abi.encode(ENDORSEMENT_TYPEHASH, site, key, atMs, x, y));
        bytes32 digest = keccak256(abi.encodePacked(hex"1901", domain, said));
        if (!P256.verify(sha256(abi.encodePacked(digest)), r, s, x, y)) revert NotByThisIdentity();
        bytes32 identity = keccak256(abi.encode(x, y));
        since[key][identity] = atMs;
        emit Endorsed(key, identity, site, atMs, x, y);
    }

    /// When (Unix ms) this identity said that it vouches for the key; 0: never.
    function endorsedAt(address key, bytes32 x, bytes32 y) external view returns (uint64) {
        return since[key][keccak256(abi.encode(x, y))];
    }
}
