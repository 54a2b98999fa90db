// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {DeviceRegistry} from "./DeviceRegistry.sol";

/// Rewards of microgrids from what their gateways say of each interval: points for renewable generation, for
/// energy saved at the grid, for low peaks, for a battery that was there. Reference version.
contract RewardSystem is AccessControl {
    uint256 public constant POINTS_RENEWABLE = 2; // for each kWh produced
    uint256 public constant POINTS_SAVED = 1; // for each kWh consumed that was not imported
    uint256 public constant POINTS_STABLE = 1; // for each interval with the battery available 99 % of it
    uint256 public constant POINTS_PEAK = 3; // for each interval whose mean import stays below the target

    /// Of one interval: Unix ms, Wh; availability in bp.
    struct Figures {
        uint48 start;
        uint48 end;
        uint64 produced;
        uint64 consumed;
        uint64 imported;
        uint64 exported;
        uint16 availability;
    }

    DeviceRegistry public immutable registry;
    mapping(uint256 microgridId => uint256) public pointsOf;
    mapping(uint256 microgridId => uint256) public targetOf; // W of import; 0: none
    mapping(uint256 microgridId => uint48) private lastOf;

    event FiguresSubmitted(uint256 indexed microgridId, Figures figures, uint256 points);

    error NotAllowed(address caller);
    error NotLater(uint48 last);

    constructor(address admin, DeviceRegistry registry_) {
        registry = registry_;
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
    }

    function setTarget(uint256 microgridId, uint256 power) external onlyRole(DEFAULT_ADMIN_ROLE) {
        targetOf[microgridId] = power;
    }

    /// By the microgrid's gateway, in order of time.
    function submitFigures(uint256 microgridId, Figures calldata f) external {
        if (msg.sender != registry.gatewayOf(microgridId)) revert NotAllowed(msg.sender);
        uint48 last = lastOf[microgridId];
        if (f.end <= f.start || f.start < last) revert NotLater(last);
        lastOf[microgridId] = f.end;
        uint256 points = uint256(f.produced) * POINTS_RENEWABLE / 1000;
        if (f.consumed > f.imported) points += uint256(f.consumed - f.imported) * POINTS_SAVED / 1000;
        if (f.availability >= 9900) points += POINTS_STABLE;
        uint256 target = targetOf[microgridId];
        if (target != 0 && uint256(f.imported) * 3_600_000 / (f.end - f.start) < target) points += POINTS_PEAK;
        pointsOf[microgridId] += points;
        emit FiguresSubmitted(microgridId, f, points);
    }
}
