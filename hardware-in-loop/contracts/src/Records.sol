// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// The record types of docs/attestation.md and how their fields are packed into words of calldata.
///
/// Pure arithmetic: no storage, no keys. The packed layouts are this contract system's own; what is signed is
/// the EIP-712 struct, in which every field has its full width.
///
/// `status` (also the head slot of a chain, bit 255 = active):
///   sequence 32 at 223 | end ms 42 at 181 | soc bp 14 at 167 | soh bp 14 at 153 | available Wh 30 at 123 | clock 2 at 121
///   flags 8 at 113 | imported Wh 28 at 85 | exported Wh 28 at 57 | produced Wh 28 at 29 | consumed Wh 28 at 1 | 0 at 0
/// `figures` (its low 96 bits are also the low bits of a ring slot):
///   duration ms 32 at 128 | count 32 at 96 | charged Wh 28 at 68 | discharged Wh 28 at 40 | frequency mHz 18 at 22
///   voltage mV 22 at 0
library Records {
    bytes32 internal constant INTERVAL_TYPEHASH = keccak256(
        "Interval(bytes32 site,uint64 sequence,bytes32 previous,uint64 start,uint64 end,uint32 count,bytes32 merkleRoot,uint64 charged,uint64 discharged,uint64 imported,uint64 exported,uint64 produced,uint64 consumed,uint16 soc,uint16 soh,uint32 available,uint32 frequency,uint32 voltage,uint8 clock,uint16 flags)"
    );
    bytes32 internal constant DELIVERY_TYPEHASH = keccak256(
        "Delivery(bytes32 site,uint64 sequence,bytes32 previous,bytes32 command,uint64 start,uint64 end,int64 requested,int64 delivered,int32 powerMin,int32 powerMax,int32 powerMean,uint32 response,uint32 error,uint16 available,uint32 curtailed,bytes32 curtailments,uint32 causes,uint8 outcome,uint32 count,bytes32 merkleRoot)"
    );
    bytes32 internal constant GAP_TYPEHASH =
        keccak256("Gap(bytes32 site,uint64 sequence,bytes32 previous,uint64 start,uint64 end,uint64 lost,uint8 cause)");

    bytes32 internal constant SETUP_TYPEHASH = keccak256(
        "Setup(bytes32 site,uint64 sequence,bytes32 previous,uint64 at,bytes32 configuration,bytes32 profiles,string software)"
    );
    bytes32 internal constant ROTATION_TYPEHASH = keccak256(
        "Rotation(bytes32 site,uint64 sequence,bytes32 previous,uint64 at,address next,uint64 asset,bytes possession)"
    );
    bytes32 internal constant REVOCATION_TYPEHASH =
        keccak256("Revocation(bytes32 site,uint64 sequence,bytes32 previous,uint64 at,uint8 reason)");
    bytes32 internal constant POSSESSION_TYPEHASH = keccak256("Possession(address binder,uint64 asset,bytes32 site)");

    uint256 internal constant ACTIVE = 1 << 255;
    uint256 internal constant SEQUENCE_SHIFT = 223;
    uint256 internal constant SEQUENCE_MAX = type(uint32).max;
    uint256 internal constant FIGURES_MASK = (1 << 96) - 1;

    error Malformed();

    /// The newest aggregates of a chain, in the units of docs/attestation.md.
    struct Aggregates {
        uint32 sequence; // of the newest record of any kind
        uint64 end; // Unix ms
        uint16 soc;
        uint16 soh;
        uint32 available;
        uint32 frequency;
        uint32 voltage;
        uint64 charged;
        uint64 discharged;
        uint64 imported;
        uint64 exported;
        uint64 produced;
        uint64 consumed;
        uint8 clock;
        uint16 flags;
    }

    function sequenceOf(uint256 head) internal pure returns (uint256) {
        return (head >> SEQUENCE_SHIFT) & SEQUENCE_MAX;
    }

    function withSequence(uint256 head, uint256 sequence) internal pure returns (uint256) {
        return (head & ~(SEQUENCE_MAX << SEQUENCE_SHIFT)) | (sequence << SEQUENCE_SHIFT);
    }

    function field(uint256 word, uint256 shift, uint256 width) internal pure returns (uint256) {
        unchecked {
            return (word >> shift) & ((1 << width) - 1);
        }
    }

    function unpack(uint256 head, uint256 figures) internal pure returns (Aggregates memory a) {
        a.sequence = uint32(field(head, 223, 32));
        a.end = uint64(field(head, 181, 42));
        a.soc = uint16(field(head, 167, 14));
        a.soh = uint16(field(head, 153, 14));
        a.available = uint32(field(head, 123, 30));
        a.clock = uint8(field(head, 121, 2));
        a.flags = uint16(field(head, 113, 8));
        a.imported = uint64(field(head, 85, 28));
        a.exported = uint64(field(head, 57, 28));
        a.produced = uint64(field(head, 29, 28));
        a.consumed = uint64(field(head, 1, 28));
        a.charged = uint64(field(figures, 68, 28));
        a.discharged = uint64(field(figures, 40, 28));
        a.frequency = uint32(field(figures, 22, 18));
        a.voltage = uint32(field(figures, 0, 22));
    }

    function wellFormed(uint256 status, uint256 figures) internal pure returns (bool) {
        return status & (ACTIVE | 1) == 0 && figures >> 160 == 0;
    }

    /// hashStruct of an Interval from its packed words. Spare bits must be zero, so that one record has one form.
    function hashInterval(bytes32 site, bytes32 previous, bytes32 root, uint256 status, uint256 figures)
        internal
        pure
        returns (bytes32 result)
    {
        if (!wellFormed(status, figures)) revert Malformed();
        uint256 end = field(status, 181, 42);
        uint256[21] memory w;
        w[0] = uint256(INTERVAL_TYPEHASH);
        w[1] = uint256(site);
        w[2] = field(status, 223, 32);
        w[3] = uint256(previous);
        unchecked {
            w[4] = end - field(figures, 128, 32); // wraps to what nobody signed
        }
        w[5] = end;
        w[6] = field(figures, 96, 32);
        w[7] = uint256(root);
        w[8] = field(figures, 68, 28);
        w[9] = field(figures, 40, 28);
        w[10] = field(status, 85, 28);
        w[11] = field(status, 57, 28);
        w[12] = field(status, 29, 28);
        w[13] = field(status, 1, 28);
        w[14] = field(status, 167, 14);
        w[15] = field(status, 153, 14);
        w[16] = field(status, 123, 30);
        w[17] = field(figures, 22, 18);
        w[18] = field(figures, 0, 22);
        w[19] = field(status, 121, 2);
        w[20] = field(status, 113, 8);
        assembly ("memory-safe") {
            result := keccak256(w, 0x2a0)
        }
    }

    /// hashStruct of a Delivery from its packed words (RecordChains.submitDelivery).
    function hashDelivery(
        bytes32 site,
        bytes32 previous,
        bytes32 command,
        bytes32 root,
        bytes32 curtailments,
        uint256 times,
        uint256 amounts,
        uint256 tracking
    ) internal pure returns (bytes32 result) {
        if (amounts >> 248 != 0 || tracking >> 96 != 0) revert Malformed();
        uint256[21] memory w;
        w[0] = uint256(DELIVERY_TYPEHASH);
        w[1] = uint256(site);
        w[2] = times >> 192;
        w[3] = uint256(previous);
        w[4] = uint256(command);
        w[5] = uint64(times >> 128);
        w[6] = uint64(times >> 64);
        w[7] = uint256(int256(int64(uint64(amounts >> 168))));
        w[8] = uint256(int256(int64(uint64(amounts >> 104))));
        w[9] = uint256(int256(int32(uint32(amounts >> 72))));
        w[10] = uint256(int256(int32(uint32(amounts >> 40))));
        w[11] = uint256(int256(int32(uint32(tracking >> 64))));
        w[12] = uint32(tracking >> 32);
        w[13] = uint32(tracking);
        w[14] = uint16(amounts >> 232);
        w[15] = uint32(times);
        w[16] = uint256(curtailments);
        w[17] = uint32(amounts >> 8);
        w[18] = uint8(amounts);
        w[19] = uint32(times >> 32);
        w[20] = uint256(root);
        assembly ("memory-safe") {
            result := keccak256(w, 0x2a0)
        }
    }

    /// Whether the words of a struct, its type hash first, are those of a record: of a kind that is here, and as
    /// many as it has. Every kind has site, sequence and previous next.
    function isRecord(bytes calldata words) internal pure returns (bool) {
        if (words.length < 0xa0) return false;
        bytes32 kind = bytes32(words[:32]);
        uint256 count = words.length >> 5;
        if (words.length & 31 != 0) return false;
        if (kind == INTERVAL_TYPEHASH || kind == DELIVERY_TYPEHASH) return count == 21;
        if (kind == GAP_TYPEHASH || kind == SETUP_TYPEHASH || kind == ROTATION_TYPEHASH) return count == 8;
        return kind == REVOCATION_TYPEHASH && count == 6;
    }
}
