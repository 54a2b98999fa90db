// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Hashes} from "@openzeppelin/contracts/utils/cryptography/Hashes.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {Records} from "./Records.sol";

/// One hash chain of signed records for each gateway key: accepts the next link, keeps what proves old ones.
///
/// Anybody may submit (a relayer needs no right: the signature is the authority). A record is refused only
/// for its place or its signature, never for what it says, because a refused link would block all after it.
///
/// Storage of a chain, so that a steady interval costs two writes and one more read:
///   head  active bit, sequence and most aggregates of the newest interval (layout: Records.sol)
///   ring  RING slots: (160 bits of keccak256(digest, site)) << 96 | the other aggregates
/// A link is proven new by the ring slot of its predecessor: it holds (`previous`, `site`) under this key.
abstract contract RecordChains is EIP712 {
    uint256 public constant RING_MAX = 4096;
    uint256 public immutable RING; // records that stay provable: the dispute window, 128 are 32 h of 15 min

    struct Chain {
        uint256 head;
        uint256[RING_MAX] ring; // the first RING of them are used
    }

    /// What was delivered for a command, as far as payers need it. `sequence` 0: nothing delivered yet.
    struct Delivered {
        uint32 sequence;
        uint48 start; // Unix ms
        uint48 end;
        int64 energy; // Wh, + = discharged
        uint16 available; // basis points of the ordered time
        uint8 outcome; // 1 refused, 2 done, 3 cut short
    }

    mapping(address gateway => Chain) private chains;
    mapping(address gateway => uint256) public storageOf;
    mapping(address gateway => bytes32) public siteOf;
    mapping(uint256 storageId => mapping(bytes32 command => Delivered)) private deliveries;
    mapping(bytes32 key => bool) private provenReadings;

    event IntervalAccepted(address indexed gateway, uint256 sequence, bytes32 digest);
    event DeliveryAccepted(
        address indexed gateway, bytes32 indexed command, uint256 sequence, bytes32 digest, int64 delivered
    );
    event GapAccepted(
        address indexed gateway, uint256 lastSequence, uint256 sequence, bytes32 digest, uint64 lost, uint8 cause
    );
    event SetupAccepted(
        address indexed gateway,
        uint256 sequence,
        bytes32 digest,
        uint64 atMs,
        bytes32 configuration,
        bytes32 profiles,
        bytes32 software
    );
    event RotationAccepted(address indexed gateway, address indexed next, uint256 sequence, bytes32 digest);
    event RevocationAccepted(address indexed gateway, uint256 sequence, bytes32 digest, uint8 reason);
    event Equivocation(address indexed gateway, uint256 sequence, bytes32 digestA, bytes32 digestB);
    event ReadingProven(
        address indexed gateway, uint256 sequence, string point, uint64 atMs, int64 value, uint8 quality
    );

    error UnknownGateway(address signer); // not bound, revoked, or the record is not what was signed
    error WrongSequence(uint256 last);
    error WrongPrevious(uint256 last); // `previous` or `site` is not that of the chain
    error NotItsConsent(address key); // the key to be bound did not sign its Possession
    error KeyAlreadyUsed(address gateway);
    error NoEquivocation();
    error NotInRing();
    error BadRing();
    error NotInTree();

    constructor(uint256 ring_) EIP712("Gridseal", "1") {
        if (ring_ < 2 || ring_ > RING_MAX) revert BadRing();
        RING = ring_;
    }

    // ---- records --------------------------------------------------------------------------------------

    /// Accepts an Interval. `status` and `figures` are packed as in Records.sol; (r, vs) is EIP-2098.
    function submitInterval(
        bytes32 site,
        bytes32 previous,
        bytes32 root,
        uint256 status,
        uint256 figures,
        bytes32 r,
        bytes32 vs
    ) external {
        bytes32 digest = _hashTypedDataV4(Records.hashInterval(site, previous, root, status, figures));
        address gateway = ECDSA.recover(digest, r, vs);
        Chain storage chain = chains[gateway];
        uint256 sequence = Records.sequenceOf(status);
        _linked(chain, gateway, sequence, previous, site);
        chain.head = status | Records.ACTIVE;
        chain.ring[sequence % RING] = _entry(digest, site, figures);
        emit IntervalAccepted(gateway, sequence, digest);
    }

    /// Accepts Intervals of many sites, as a relayer brings them: each the seven words of submitInterval, in the
    /// order of its own chain. One that is not the next of its chain, or not signed for it, changes nothing and
    /// holds up no other; `accepted` counts the rest. A relayer can leave a record out, and nothing else.
    function submitIntervals(bytes32[7][] calldata batch) external returns (uint256 accepted) {
        for (uint256 i = 0; i < batch.length; ++i) {
            if (_tryInterval(batch[i])) ++accepted;
        }
    }

    function _tryInterval(bytes32[7] calldata w) private returns (bool) {
        (uint256 status, uint256 figures) = (uint256(w[3]), uint256(w[4]));
        if (!Records.wellFormed(status, figures)) return false;
        bytes32 digest = _hashTypedDataV4(Records.hashInterval(w[0], w[1], w[2], status, figures));
        (address gateway, ECDSA.RecoverError problem,) = ECDSA.tryRecover(digest, w[5], w[6]);
        if (problem != ECDSA.RecoverError.NoError) return false;
        Chain storage chain = chains[gateway];
        uint256 head = chain.head;
        uint256 sequence = Records.sequenceOf(status);
        uint256 last = Records.sequenceOf(head);
        if (head & Records.ACTIVE == 0 || sequence != last + 1) return false;
        if (chain.ring[last % RING] >> 96 != _entry(w[1], w[0], 0) >> 96) return false;
        chain.head = status | Records.ACTIVE;
        chain.ring[sequence % RING] = _entry(digest, w[0], figures);
        emit IntervalAccepted(gateway, sequence, digest);
        return true;
    }

    /// Accepts a Delivery; the first one of a command counts, a later one only takes its place in the chain.
    /// `times`: sequence 64 | start ms 64 | end ms 64 | count 32 | curtailed ms 32.
    /// `amounts`: zero 8 | available bp 16 | requested Wh 64 | delivered Wh 64 | min W 32 | max W 32 | causes 32 |
    /// outcome 8. `tracking`: zero 160 | mean W 32 | response ms 32 | error W 32.
    function submitDelivery(
        bytes32 site,
        bytes32 previous,
        bytes32 command,
        bytes32 root,
        bytes32 curtailments,
        uint256 times,
        uint256 amounts,
        uint256 tracking,
        bytes32 r,
        bytes32 vs
    ) external {
        bytes32 digest = _hashTypedDataV4(
            Records.hashDelivery(site, previous, command, root, curtailments, times, amounts, tracking)
        );
        address gateway = ECDSA.recover(digest, r, vs);
        Chain storage chain = chains[gateway];
        uint256 sequence = times >> 192;
        uint256 before = _linked(chain, gateway, sequence, previous, site);
        _append(chain, sequence, _entry(digest, site, before));
        Delivered storage delivered = deliveries[storageOf[gateway]][command];
        if (delivered.sequence == 0) {
            delivered.sequence = uint32(sequence);
            delivered.start = uint48(uint64(times >> 128));
            delivered.end = uint48(uint64(times >> 64));
            delivered.energy = int64(uint64(amounts >> 104));
            delivered.available = uint16(amounts >> 232);
            delivered.outcome = uint8(amounts);
        }
        emit DeliveryAccepted(gateway, command, sequence, digest, int64(uint64(amounts >> 104)));
    }

    /// Accepts a Gap. Next in line it is checked as any record; it alone may also jump ahead of the chain, as
    /// far as its cause allows, and then the site must be the bound one and `previous` is not checked.
    function submitGap(
        bytes32 site,
        uint64 sequence,
        bytes32 previous,
        uint64 start,
        uint64 end,
        uint64 lost,
        uint8 cause,
        bytes32 r,
        bytes32 vs
    ) external {
        bytes32 digest = _hashTypedDataV4(
            keccak256(abi.encode(Records.GAP_TYPEHASH, site, sequence, previous, start, end, lost, cause))
        );
        address gateway = ECDSA.recover(digest, r, vs);
        Chain storage chain = chains[gateway];
        uint256 last = Records.sequenceOf(chain.head);
        uint256 before;
        if (sequence > last + 1) {
            if (chain.head & Records.ACTIVE == 0) revert UnknownGateway(gateway);
            if (site != siteOf[gateway]) revert WrongPrevious(last);
            if (!_mayJump(cause, last, sequence)) revert WrongSequence(last);
            before = chain.ring[last % RING];
        } else {
            before = _linked(chain, gateway, sequence, previous, site);
        }
        _append(chain, sequence, _entry(digest, site, before));
        emit GapAccepted(gateway, last, sequence, digest, lost, cause);
    }

    /// Accepts a Setup: it has its place in the chain, and says under what the records around it were made.
    /// `software` is the keccak256 of its text.
    function submitSetup(
        bytes32 site,
        uint64 sequence,
        bytes32 previous,
        uint64 atMs,
        bytes32 configuration,
        bytes32 profiles,
        bytes32 software,
        bytes32 r,
        bytes32 vs
    ) external {
        bytes32 digest = _hashTypedDataV4(
            keccak256(
                abi.encode(Records.SETUP_TYPEHASH, site, sequence, previous, atMs, configuration, profiles, software)
            )
        );
        (address gateway,) = _accept(digest, site, sequence, previous, r, vs);
        emit SetupAccepted(gateway, sequence, digest, atMs, configuration, profiles, software);
    }

    /// Accepts a Rotation, the last record of its key, and opens the chain of the next one: the same history, whose
    /// sequence goes on and whose next record names this one. `possession` is the next key's own consent.
    function submitRotation(
        bytes32 site,
        uint64 sequence,
        bytes32 previous,
        uint64 atMs,
        address next,
        uint64 asset,
        bytes calldata possession,
        bytes32 r,
        bytes32 vs
    ) external {
        bytes32 digest = _hashTypedDataV4(
            keccak256(
                abi.encode(
                    Records.ROTATION_TYPEHASH, site, sequence, previous, atMs, next, asset, keccak256(possession)
                )
            )
        );
        (address gateway, uint256 entry) = _accept(digest, site, sequence, previous, r, vs);
        if (asset != storageOf[gateway]) revert UnknownGateway(gateway);
        _agreed(next, gateway, asset, site, possession);
        Chain storage chain = chains[gateway];
        uint256 head = chain.head;
        _close(gateway);
        _open(next, asset, site);
        chains[next].head = head;
        chains[next].ring[sequence % RING] = entry;
        _keyChanged(asset, gateway, next, site);
        emit RotationAccepted(gateway, next, sequence, digest);
    }

    /// Accepts a Revocation, the last record of its key: nobody goes on until the owner binds another.
    function submitRevocation(
        bytes32 site,
        uint64 sequence,
        bytes32 previous,
        uint64 atMs,
        uint8 reason,
        bytes32 r,
        bytes32 vs
    ) external {
        bytes32 digest = _hashTypedDataV4(
            keccak256(abi.encode(Records.REVOCATION_TYPEHASH, site, sequence, previous, atMs, reason))
        );
        (address gateway,) = _accept(digest, site, sequence, previous, r, vs);
        _close(gateway);
        _keyChanged(storageOf[gateway], gateway, address(0), site);
        emit RevocationAccepted(gateway, sequence, digest, reason);
    }

    /// Two different records of one key with one sequence prove that the key is misused: its chain ends. By
    /// anybody. `a` and `b` are the structs' words, the type hash first; signatures are 65 bytes.
    function reportEquivocation(bytes calldata a, bytes calldata signatureA, bytes calldata b, bytes calldata signatureB)
        external
    {
        if (!Records.isRecord(a) || !Records.isRecord(b)) revert NoEquivocation();
        bytes32 digestA = _hashTypedDataV4(keccak256(a));
        bytes32 digestB = _hashTypedDataV4(keccak256(b));
        uint256 sequence = uint256(bytes32(a[64:96]));
        if (digestA == digestB || sequence != uint256(bytes32(b[64:96]))) revert NoEquivocation();
        address gateway = ECDSA.recover(digestA, signatureA);
        if (ECDSA.recover(digestB, signatureB) != gateway) revert NoEquivocation();
        if (!isActive(gateway)) revert UnknownGateway(gateway);
        _close(gateway);
        _keyChanged(storageOf[gateway], gateway, address(0), siteOf[gateway]);
        emit Equivocation(gateway, sequence, digestA, digestB);
    }

    // ---- proof of single readings ---------------------------------------------------------------------

    /// True when this reading is a leaf under an accepted interval that is still in the ring.
    function isReading(
        address gateway,
        bytes32[5] calldata interval,
        string calldata point,
        uint64 atMs,
        int64 value,
        uint8 quality,
        bytes32[] calldata proof
    ) public view returns (bool) {
        (bytes32 site, bytes32 root, uint256 status) = (interval[0], interval[2], uint256(interval[3]));
        bytes32 digest = _hashTypedDataV4(
            Records.hashInterval(site, interval[1], root, status, uint256(interval[4]))
        );
        uint256 entry = chains[gateway].ring[Records.sequenceOf(status) % RING];
        if (entry >> 96 != _entry(digest, site, 0) >> 96) revert NotInRing();
        return MerkleProof.verifyCalldata(proof, root, _leaf(point, atMs, value, quality));
    }

    /// Proves one reading on chain, by anybody, within the dispute window; other contracts then ask `proven`.
    /// `interval` is (site, previous, merkleRoot, status, figures), as it was submitted.
    function proveReading(
        address gateway,
        bytes32[5] calldata interval,
        string calldata point,
        uint64 atMs,
        int64 value,
        uint8 quality,
        bytes32[] calldata proof
    ) external {
        if (!isReading(gateway, interval, point, atMs, value, quality, proof)) revert NotInTree();
        provenReadings[keccak256(abi.encode(gateway, _leaf(point, atMs, value, quality)))] = true;
        emit ReadingProven(gateway, Records.sequenceOf(uint256(interval[3])), point, atMs, value, quality);
    }

    function proven(address gateway, string calldata point, uint64 atMs, int64 value, uint8 quality)
        external
        view
        returns (bool)
    {
        return provenReadings[keccak256(abi.encode(gateway, _leaf(point, atMs, value, quality)))];
    }

    // ---- what contracts read --------------------------------------------------------------------------

    function lastSequence(address gateway) public view returns (uint256) {
        return Records.sequenceOf(chains[gateway].head);
    }

    function isActive(address gateway) public view returns (bool) {
        return chains[gateway].head & Records.ACTIVE != 0;
    }

    function latestOf(address gateway) public view returns (Records.Aggregates memory) {
        Chain storage chain = chains[gateway];
        uint256 head = chain.head;
        return Records.unpack(head, chain.ring[Records.sequenceOf(head) % RING]);
    }

    function deliveryOf(uint256 storageId, bytes32 command) external view returns (Delivered memory) {
        return deliveries[storageId][command];
    }

    // ---- internals ------------------------------------------------------------------------------------

    /// Told when a chain ended by its own records or by proof of misuse: `next` speaks for the asset, or nobody.
    function _keyChanged(uint256 storageId, address before, address next, bytes32 site) internal virtual;

    /// Reverts unless `key` itself consents to be bound by `binder` to this asset and site.
    function _agreed(address key, address binder, uint256 storageId, bytes32 site, bytes calldata possession)
        internal
        view
    {
        bytes32 digest = _hashTypedDataV4(keccak256(abi.encode(Records.POSSESSION_TYPEHASH, binder, storageId, site)));
        if (ECDSA.recoverCalldata(digest, possession) != key) revert NotItsConsent(key);
    }

    /// Opens the chain of a key that was never bound before: its first record has sequence 1, previous 0.
    function _open(address gateway, uint256 storageId, bytes32 site) internal {
        if (storageOf[gateway] != 0) revert KeyAlreadyUsed(gateway);
        storageOf[gateway] = storageId;
        siteOf[gateway] = site;
        Chain storage chain = chains[gateway];
        chain.head = Records.ACTIVE;
        chain.ring[0] = _entry(0, site, 0);
    }

    /// Ends a chain for ever: nothing more is accepted from the key; what is in its ring can still be proven.
    function _close(address gateway) internal {
        chains[gateway].head &= ~Records.ACTIVE;
    }

    /// How far a Gap may jump. Anybody may submit, and calldata is public before it is mined: were every Gap
    /// free to jump, whoever has to pay for a Delivery could have the Gap behind it accepted first, and the
    /// Delivery never. Causes 1 and 2 say that what is between is lost; 4 passes over the one record that does
    /// not fit, or at the beginning of a chain over those for another contract; 3 takes nothing from the chain.
    function _mayJump(uint8 cause, uint256 last, uint256 sequence) private pure returns (bool) {
        if (cause == 4) return last == 0 || sequence == last + 2;
        return cause == 1 || cause == 2;
    }

    /// Checks that a record comes next; returns the ring slot of the record before.
    function _linked(Chain storage chain, address gateway, uint256 sequence, bytes32 previous, bytes32 site)
        private
        view
        returns (uint256 before)
    {
        uint256 head = chain.head;
        if (head & Records.ACTIVE == 0) revert UnknownGateway(gateway);
        uint256 last = Records.sequenceOf(head);
        if (sequence != last + 1) revert WrongSequence(last);
        before = chain.ring[last % RING];
        if (before >> 96 != _entry(previous, site, 0) >> 96) revert WrongPrevious(last);
    }

    /// A record without aggregates of its own, next in line: its key, and what its ring slot holds now.
    function _accept(bytes32 digest, bytes32 site, uint256 sequence, bytes32 previous, bytes32 r, bytes32 vs)
        private
        returns (address gateway, uint256 entry)
    {
        gateway = ECDSA.recover(digest, r, vs);
        Chain storage chain = chains[gateway];
        entry = _entry(digest, site, _linked(chain, gateway, sequence, previous, site));
        _append(chain, sequence, entry);
    }

    /// A link without aggregates of its own: those of the newest interval move along with the sequence.
    function _append(Chain storage chain, uint256 sequence, uint256 entry) private {
        uint256 head = chain.head;
        if (sequence > Records.SEQUENCE_MAX) revert WrongSequence(Records.sequenceOf(head));
        chain.head = Records.withSequence(head, sequence);
        chain.ring[sequence % RING] = entry;
    }

    function _entry(bytes32 digest, bytes32 site, uint256 figures) private pure returns (uint256) {
        return uint256(Hashes.efficientKeccak256(digest, site)) << 96 | (figures & Records.FIGURES_MASK);
    }

    /// A leaf of OpenZeppelin's StandardMerkleTree over (string, uint64, int64, uint8).
    function _leaf(string calldata point, uint64 atMs, int64 value, uint8 quality) private pure returns (bytes32) {
        return keccak256(bytes.concat(keccak256(abi.encode(point, atMs, value, quality))));
    }
}
