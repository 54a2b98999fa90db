// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";

/// What a gateway answers over HTTP, as docs/attestation.md says: each question is the ABI encoding of a call.
interface GridsealPull {
    function latestRecord(bytes32 site) external view returns (uint8 kind, bytes memory record, bytes memory signature);
    function latestInterval(bytes32 site)
        external
        view
        returns (uint8 kind, bytes memory record, bytes memory signature);
    function recordAt(bytes32 site, uint64 sequence)
        external
        view
        returns (uint8 kind, bytes memory record, bytes memory signature);
    function readingAt(bytes32 site, uint64 sequence, string calldata point, uint64 atMs)
        external
        view
        returns (
            uint8 kind,
            bytes memory record,
            bytes memory signature,
            int64 value,
            uint8 quality,
            bytes32[] memory proof
        );
}

/// The contract that binds gateway keys to storages (RecordChains), as far as a reader needs it.
interface GatewayChains {
    function gatewayOf(uint256 storageId) external view returns (address);
    function siteOf(address gateway) external view returns (bytes32);
    function isActive(address gateway) external view returns (bool);
}

/// Reads signed intervals and single readings straight from the gateway, by EIP-3668: nothing is stored on chain
/// and nobody between needs to be believed, because a record counts by its signature alone.
contract PullReader {
    bytes32 private constant INTERVAL_TYPEHASH = keccak256(
        "Interval(bytes32 site,uint64 sequence,bytes32 previous,uint64 start,uint64 end,uint32 count,bytes32 merkleRoot,uint64 charged,uint64 discharged,uint64 imported,uint64 exported,uint64 produced,uint64 consumed,uint16 soc,uint16 soh,uint32 available,uint32 frequency,uint32 voltage,uint8 clock,uint16 flags)"
    );
    bytes32 private constant DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");

    struct Interval {
        bytes32 site;
        uint64 sequence;
        bytes32 previous;
        uint64 start; // Unix ms
        uint64 end;
        uint32 count;
        bytes32 merkleRoot;
        uint64 charged; // Wh
        uint64 discharged;
        uint64 imported;
        uint64 exported;
        uint64 produced;
        uint64 consumed;
        uint16 soc; // 0.01 %
        uint16 soh;
        uint32 available; // Wh
        uint32 frequency; // mHz
        uint32 voltage; // mV
        uint8 clock;
        uint16 flags;
    }

    GatewayChains public immutable chains;
    string[] public urls; // each with {sender} and {data}

    error OffchainLookup(address sender, string[] urls, bytes callData, bytes4 callbackFunction, bytes extraData);
    error UnknownGateway(uint256 storageId);
    error NotSigned(address signer);
    error NotAsked(); // signed, but not what was asked for
    error TooOld(uint64 end);
    error NotInTree();

    constructor(GatewayChains chains_, string[] memory urls_) {
        chains = chains_;
        urls = urls_;
    }

    /// The newest interval of a storage's gateway; refused when it ended more than `maxAgeMs` ago.
    function latest(uint256 storageId, uint64 maxAgeMs) external view returns (Interval memory) {
        bytes memory question = abi.encodeCall(GridsealPull.latestInterval, (_site(storageId)));
        _ask(question, this.latestCallback.selector, abi.encode(storageId, maxAgeMs));
    }

    function latestCallback(bytes calldata response, bytes calldata extraData)
        external
        view
        returns (Interval memory interval)
    {
        (uint256 storageId, uint64 maxAgeMs) = abi.decode(extraData, (uint256, uint64));
        interval = _verified(storageId, response);
        if (uint256(interval.end) + maxAgeMs < block.timestamp * 1000) revert TooOld(interval.end);
    }

    /// The interval with this sequence.
    function numbered(uint256 storageId, uint64 sequence) external view returns (Interval memory) {
        bytes memory question = abi.encodeCall(GridsealPull.recordAt, (_site(storageId), sequence));
        _ask(question, this.numberedCallback.selector, abi.encode(storageId, sequence));
    }

    function numberedCallback(bytes calldata response, bytes calldata extraData)
        external
        view
        returns (Interval memory interval)
    {
        (uint256 storageId, uint64 sequence) = abi.decode(extraData, (uint256, uint64));
        interval = _verified(storageId, response);
        if (interval.sequence != sequence) revert NotAsked();
    }

    /// One reading under the interval with this sequence, proven by its Merkle proof.
    function reading(uint256 storageId, uint64 sequence, string calldata point, uint64 atMs)
        external
        view
        returns (int64, uint8)
    {
        bytes memory question =
            abi.encodeCall(GridsealPull.readingAt, (_site(storageId), sequence, point, atMs));
        _ask(question, this.readingCallback.selector, abi.encode(storageId, sequence, point, atMs));
    }

    function readingCallback(bytes calldata response, bytes calldata extraData)
        external
        view
        returns (int64 value, uint8 quality)
    {
        (uint256 storageId, uint64 sequence, string memory point, uint64 atMs) =
            abi.decode(extraData, (uint256, uint64, string, uint64));
        Interval memory interval = _verified(storageId, response);
        if (interval.sequence != sequence) revert NotAsked();
        bytes32[] memory proof;
        (,,, value, quality, proof) = abi.decode(response, (uint8, bytes, bytes, int64, uint8, bytes32[]));
        bytes32 leaf = keccak256(bytes.concat(keccak256(abi.encode(point, atMs, value, quality))));
        if (!MerkleProof.verify(proof, interval.merkleRoot, leaf)) revert NotInTree();
    }

    function _ask(bytes memory question, bytes4 callback, bytes memory extraData) private view {
        revert OffchainLookup(address(this), urls, question, callback, extraData);
    }

    function _site(uint256 storageId) private view returns (bytes32) {
        return chains.siteOf(_gateway(storageId));
    }

    function _gateway(uint256 storageId) private view returns (address gateway) {
        gateway = chains.gatewayOf(storageId);
        if (gateway == address(0) || !chains.isActive(gateway)) revert UnknownGateway(storageId);
    }

    /// The Interval in a response, if the gateway bound to this storage signed exactly it for `chains`.
    function _verified(uint256 storageId, bytes calldata response) private view returns (Interval memory interval) {
        (uint8 kind, bytes memory record, bytes memory signature) = abi.decode(response, (uint8, bytes, bytes));
        if (kind != 0) revert NotAsked();
        bytes32 domain = keccak256(
            abi.encode(DOMAIN_TYPEHASH, keccak256("Gridseal"), keccak256("1"), block.chainid, address(chains))
        );
        bytes32 struct_ = keccak256(bytes.concat(INTERVAL_TYPEHASH, record));
        address signer = ECDSA.recover(keccak256(abi.encodePacked(hex"1901", domain, struct_)), signature);
        address gateway = _gateway(storageId);
        if (signer != gateway) revert NotSigned(signer);
        interval = abi.decode(record, (Interval));
        if (interval.site != chains.siteOf(gateway)) revert NotAsked();
    }
}
