// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {RecordChains} from "./RecordChains.sol";
import {Records} from "./Records.sol";

/// Which gateway key speaks for which asset (a storage, a meter, a member), as the asset's owner says.
///
/// A key is bound to one asset, once, for ever: a new key begins a new chain, so no record of an old one can
/// be played again.
abstract contract GatewayKeys is RecordChains {
    mapping(uint256 assetId => address) public gatewayOf; // zero: none, or revoked

    event GatewayKeySet(uint256 indexed assetId, address indexed gateway, bytes32 site, address before);

    error UnknownAsset(uint256 assetId);
    error NotAllowed(address caller);
    error KeyAlreadyUsed(address gateway);

    /// Zero when there is no such asset.
    function ownerOf(uint256 assetId) public view virtual returns (address);

    /// Whether the asset may earn; what that takes is each system's own.
    function isVerified(uint256 assetId) public view virtual returns (bool);

    /// Binds, rotates or (gateway = 0) revokes the key. `site` = keccak256(site id). By the asset's owner.
    function setGatewayKey(uint256 assetId, address gateway, bytes32 site) external {
        if (msg.sender != _knownOwner(assetId)) revert NotAllowed(msg.sender);
        address before = gatewayOf[assetId];
        if (before != address(0)) _close(before);
        if (gateway != address(0)) {
            if (storageOf[gateway] != 0) revert KeyAlreadyUsed(gateway);
            _open(gateway, assetId, site);
        }
        gatewayOf[assetId] = gateway;
        emit GatewayKeySet(assetId, gateway, site, before);
    }

    /// The aggregates of the newest interval of the asset's present key.
    function latest(uint256 assetId) external view returns (Records.Aggregates memory) {
        _knownOwner(assetId);
        return latestOf(gatewayOf[assetId]);
    }

    /// The asset for which the caller's key is bound. NotAllowed when it is bound to none, or revoked.
    function _assetOfCaller() internal view returns (uint256) {
        if (!isActive(msg.sender)) revert NotAllowed(msg.sender);
        return storageOf[msg.sender];
    }

    function _knownOwner(uint256 assetId) internal view returns (address owner) {
        owner = ownerOf(assetId);
        if (owner == address(0)) revert UnknownAsset(assetId);
    }
}
