;; Requests for services of a facility, paid by the Delivery record of its gateway.
;;
;; The payment is held here. The gateway fulfils a request once the record chain has the delivery; that moves no
;; tokens, so that its transactions need no leave to. Anybody settles then.

(define-constant REQUESTED u1)
(define-constant FULFILLED u2)
(define-constant SETTLED u3)
(define-constant CANCELLED u4)
(define-constant GRACE-MS u5000) ;; a delivery may begin so much early and end so much late
(define-constant EVIDENCE-TIME u604800) ;; seconds behind the window in which evidence may come
(define-constant FULL-BP u9500) ;; from here on the whole payment
(define-constant NOTHING-BP u5000) ;; below it, none
(define-constant FREQUENCY-MIN-MHZ u45000)
(define-constant FREQUENCY-MAX-MHZ u65000)

(define-constant ERR-NOT-ALLOWED (err u500))
(define-constant ERR-NOT-APPROVED (err u501))
(define-constant ERR-WINDOW (err u502))
(define-constant ERR-UNKNOWN-REQUEST (err u503))
(define-constant ERR-STATE (err u504))
(define-constant ERR-NO-DELIVERY (err u505))
(define-constant ERR-TOO-EARLY (err u506))
(define-constant ERR-FREQUENCY (err u507))

(define-data-var request-count uint u0)
(define-data-var frequency-target uint u50000)
(define-map requests
  uint
  {
    facility: uint, operator: principal, service: uint, start: uint, end: uint, energy-wh: int,
    values: (list 16 int), target-mhz: uint, payment: uint, state: uint, share-bp: uint, command: (buff 32)
  }
)
(define-map counts uint uint) ;; facility -> how many requests it has had
(define-map places { facility: uint, place: uint } uint)

(define-read-only (get-request (request uint))
  (map-get? requests request)
)

;; The `place`th request of a facility, from 1 on, and its number.
(define-read-only (request-of (facility uint) (place uint))
  (match (map-get? places { facility: facility, place: place })
    request (some (merge (unwrap-panic (map-get? requests request)) { request: request }))
    none
  )
)

(define-read-only (get-frequency-target)
  (var-get frequency-target)
)

;; By the administrator, mHz: what regulation keeps to, in requests from now on.
(define-public (set-frequency-target (mhz uint))
  (begin
    (asserts! (is-eq tx-sender (contract-call? .facility-verification get-administrator)) ERR-NOT-ALLOWED)
    (asserts! (and (>= mhz FREQUENCY-MIN-MHZ) (<= mhz FREQUENCY-MAX-MHZ)) ERR-FREQUENCY)
    (ok (var-set frequency-target mhz))
  )
)

;; `service`: 0 frequency regulation, 1 peak shaving, 2 power, 3 voltage support, 4 backup; `values` in the order of
;; docs/services.md. The payment (microSTX) comes along.
(define-public (request-service
    (facility uint)
    (service uint)
    (start uint)
    (end uint)
    (energy-wh int)
    (values (list 16 int))
    (payment uint)
  )
  (let (
    (request (+ (var-get request-count) u1))
    (place (+ (default-to u0 (map-get? counts facility)) u1))
  )
    (asserts! (contract-call? .facility-verification is-approved facility) ERR-NOT-APPROVED)
    (asserts! (and (< start end) (< (now) end)) ERR-WINDOW)
    (if (> payment u0) (try! (stx-transfer? payment tx-sender (as-contract tx-sender))) false)
    (map-set requests request {
      facility: facility, operator: tx-sender, service: service, start: start, end: end, energy-wh: energy-wh,
      values: values, target-mhz: (var-get frequency-target), payment: payment, state: REQUESTED, share-bp: u0,
      ;; Of all that is asked: after a fork the same number with other contents is another order.
      command: (keccak256 (unwrap-panic (to-consensus-buff? {
        contract: (as-contract tx-sender), request: request, facility: facility, operator: tx-sender,
        service: service, start: start, end: end, energy-wh: energy-wh, values: values,
        target-mhz: (var-get frequency-target)
      })))
    })
    (map-set counts facility place)
    (map-set places { facility: facility, place: place } request)
    (var-set request-count request)
    (print { event: "requested", request: request, facility: facility, service: service })
    (ok request)
  )
)

;; What fulfill-request would say: the share of the payment, in 0.01 %.
(define-read-only (check-fulfilment (request uint))
  (let (
    (known (unwrap! (map-get? requests request) ERR-UNKNOWN-REQUEST))
    (delivered (unwrap!
      (contract-call? .record-chain get-delivery (get facility known) (get command known))
      ERR-NO-DELIVERY
    ))
  )
    (asserts! (is-eq (get state known) REQUESTED) ERR-STATE)
    (asserts! (>= (+ (get start delivered) GRACE-MS) (* (get start known) u1000)) ERR-WINDOW)
    (asserts! (<= (get end delivered) (+ (* (get end known) u1000) GRACE-MS)) ERR-WINDOW)
    (ok (payable (share (get energy-wh known) delivered)))
  )
)

;; By the facility's gateway, once its Delivery record is taken.
(define-public (fulfill-request (request uint))
  (let (
    (share-bp (try! (check-fulfilment request)))
    (known (unwrap! (map-get? requests request) ERR-UNKNOWN-REQUEST))
  )
    (asserts! (contract-call? .record-chain is-gateway (get facility known) tx-sender) ERR-NOT-ALLOWED)
    (map-set requests request (merge known { state: FULFILLED, share-bp: share-bp }))
    (print { event: "fulfilled", request: request, share-bp: share-bp })
    (ok share-bp)
  )
)

;; The share becomes the facility's revenue, the rest is the operator's again. By anybody, once.
(define-public (settle-request (request uint))
  (let (
    (known (unwrap! (map-get? requests request) ERR-UNKNOWN-REQUEST))
    (paid (/ (* (get payment known) (get share-bp known)) u10000))
  )
    (asserts! (is-eq (get state known) FULFILLED) ERR-STATE)
    (map-set requests request (merge known { state: SETTLED }))
    (if (> paid u0)
      (try! (as-contract (contract-call? .revenue-sharing add-revenue (get facility known) paid)))
      false
    )
    (try! (give-back (- (get payment known) paid) (get operator known)))
    (print { event: "settled", request: request, paid: paid })
    (ok paid)
  )
)

;; By its operator, when no evidence has come in time.
(define-public (cancel-request (request uint))
  (let ((known (unwrap! (map-get? requests request) ERR-UNKNOWN-REQUEST)))
    (asserts! (is-eq tx-sender (get operator known)) ERR-NOT-ALLOWED)
    (asserts! (is-eq (get state known) REQUESTED) ERR-STATE)
    (asserts! (> (now) (+ (get end known) EVIDENCE-TIME)) ERR-TOO-EARLY)
    (asserts! (is-err (check-fulfilment request)) ERR-STATE)
    (map-set requests request (merge known { state: CANCELLED }))
    (give-back (get payment known) (get operator known))
  )
)

(define-private (give-back (amount uint) (operator principal))
  (if (> amount u0) (as-contract (stx-transfer? amount tx-sender operator)) (ok true))
)

(define-private (now)
  (default-to u0 (get-stacks-block-info? time (- stacks-block-height u1)))
)

;; Parts of 10,000 of what was asked for that were delivered. A request without energy is paid by availability.
(define-private (share
    (asked int)
    (delivered { sequence: uint, start: uint, end: uint, energy: int, available: uint, outcome: uint })
  )
  (if (is-eq asked 0)
    (if (is-eq (get outcome delivered) u2) (least (get available delivered) u10000) u0)
    (let ((product (* (get energy delivered) asked)))
      (if (<= product 0) u0 (least (to-uint (/ (* product 10000) (* asked asked))) u10000))
    )
  )
)

(define-private (payable (share-bp uint))
  (if (>= share-bp FULL-BP) u10000 (if (< share-bp NOTHING-BP) u0 share-bp))
)

(define-private (least (a uint) (b uint))
  (if (< a b) a b)
)
