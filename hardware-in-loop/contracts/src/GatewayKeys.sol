// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {RecordChains} from "./RecordChains.sol";
import {Records} from "./Records.sol";

/// Which gateway key speaks for which asset (a storage, a meter, a member), as the asset's owner says.
///
/// A key is bound to one asset, once, for ever, and only with its own consent. One that the owner binds begins a
/// new chain, so no record of an old one can be played again; one that a Rotation names goes on with the old one's.
abstract contract GatewayKeys is RecordChains {
    mapping(uint256 assetId => address) public gatewayOf; // zero: none, or revoked
    mapping(uint256 assetId => address) private newestOf; // the last one ever bound, whatever became of it
    mapping(address gateway => address) public predecessorOf; // the asset's key before this one; zero: the first

    event GatewayKeySet(uint256 indexed assetId, address indexed gateway, bytes32 site, address before);

    error UnknownAsset(uint256 assetId);
    error NotAllowed(address caller);

    /// Zero when there is no such asset.
    function ownerOf(uint256 assetId) public view virtual returns (address);

    /// Whether the asset may earn; what that takes is each system's own.
    function isVerified(uint256 assetId) public view virtual returns (bool);

    /// Binds the first key, replaces one that is lost, or (gateway = 0) revokes it. `site` = keccak256(site id). By the
    /// asset's owner, whom the key names in its `possession` (`gridseal keys prove`).
    function setGatewayKey(uint256 assetId, address gateway, bytes32 site, bytes calldata possession) external {
        if (msg.sender != _knownOwner(assetId)) revert NotAllowed(msg.sender);
        address before = gatewayOf[assetId];
        if (before != address(0)) _close(before);
        if (gateway != address(0)) {
            _agreed(gateway, msg.sender, assetId, site, possession);
            _open(gateway, assetId, site);
        }
        _keyChanged(assetId, before, gateway, site);
    }

    function _keyChanged(uint256 assetId, address before, address gateway, bytes32 site) internal override {
        gatewayOf[assetId] = gateway;
        if (gateway != address(0)) {
            predecessorOf[gateway] = newestOf[assetId];
            newestOf[assetId] = gateway;
        }
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
