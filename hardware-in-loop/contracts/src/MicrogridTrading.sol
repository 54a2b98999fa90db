// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {GatewayKeys} from "./GatewayKeys.sol";
import {OrderBook} from "./OrderBook.sol";

/// Energy from member to member: an offer that somebody takes obliges its seller to deliver in the period, and
/// is paid by what was delivered, as in Orders.sol. Spot and recurring. Reference version.
contract MicrogridTrading is OrderBook {
    uint8 public constant DELIVER = 0; // the only service here: battery power, W
    uint256 public constant PERIODS_MAX = 31;

    /// So much energy (Wh) at so much a kWh (wei), in each of `periods` periods of a day from `notBefore` on.
    struct Offer {
        uint256 memberId;
        uint64 notBefore;
        uint32 duration; // s
        uint64 energyWh;
        uint256 price;
        uint8 periods;
        bool open;
    }

    mapping(uint256 offerId => Offer) private offers;
    uint256 public offerCount;

    event Offered(uint256 indexed offerId, uint256 indexed memberId, Offer offer);
    event TradeExecuted(uint256 indexed tradeId, uint256 indexed offerId, address indexed buyer);

    error BadOffer();
    error NotOpen(uint256 offerId);
    error WrongPayment(uint256 wanted);

    constructor(address admin, GatewayKeys members) OrderBook(admin, members) {}

    /// By the seller: the member's owner.
    function offer(uint256 memberId, uint64 notBefore, uint32 duration, uint64 energyWh, uint256 price, uint8 periods)
        external
        returns (uint256 offerId)
    {
        if (msg.sender != evidence.ownerOf(memberId)) revert NotAllowed(msg.sender);
        if (!evidence.isVerified(memberId)) revert NotVerified(memberId);
        if (duration < 60 || duration > 1 days || energyWh == 0 || energyWh > 10 ** 9) revert BadOffer();
        if (periods == 0 || periods > PERIODS_MAX) revert BadOffer();
        offerId = ++offerCount;
        offers[offerId] = Offer(memberId, notBefore, duration, energyWh, price, periods, true);
        emit Offered(offerId, memberId, offers[offerId]);
    }

    function withdrawOffer(uint256 offerId) external {
        Offer storage it = _open(offerId);
        if (msg.sender != evidence.ownerOf(it.memberId)) revert NotAllowed(msg.sender);
        it.open = false;
    }

    /// By the buyer, with the price of the next period; a recurring offer stays open for the periods after it.
    function buy(uint256 offerId) external payable returns (uint256 tradeId) {
        Offer storage it = _open(offerId);
        uint256 wanted = it.energyWh * it.price / 1000;
        if (msg.value != wanted) revert WrongPayment(wanted);
        Terms memory terms;
        terms.notBefore = it.notBefore;
        terms.notAfter = it.notBefore + it.duration;
        terms.energyWh = int64(it.energyWh);
        terms.values = new int256[](1);
        terms.values[0] = int256(uint256(it.energyWh) * 3600 / it.duration);
        it.notBefore += 1 days;
        if (--it.periods == 0) it.open = false;
        tradeId = _count(it.memberId, DELIVER, terms);
        emit TradeExecuted(tradeId, offerId, msg.sender);
    }

    function getOffer(uint256 offerId) external view returns (Offer memory) {
        return offers[offerId];
    }

    function _open(uint256 offerId) private view returns (Offer storage it) {
        it = offers[offerId];
        if (!it.open) revert NotOpen(offerId);
    }
}
