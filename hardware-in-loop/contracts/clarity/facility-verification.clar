;; Facilities: who owns one, what it is, and whether the administrator has approved it.
;;
;; Anybody registers; the administrator approves or rejects. What earns asks `is-approved`.

(define-constant PENDING u0)
(define-constant APPROVED u1)
(define-constant REJECTED u2)

(define-constant ERR-NOT-ALLOWED (err u100))
(define-constant ERR-UNKNOWN-FACILITY (err u101))
(define-constant ERR-WRONG-STATUS (err u102))
(define-constant ERR-NOTHING (err u103))

(define-data-var administrator principal tx-sender)
(define-data-var facility-count uint u0)

(define-map facilities
  uint
  {
    owner: principal,
    capacity-wh: uint,
    power-w: uint,
    location: (string-utf8 100),
    status: uint
  }
)

(define-read-only (get-administrator)
  (var-get administrator)
)

(define-read-only (get-facility (facility uint))
  (map-get? facilities facility)
)

(define-read-only (get-owner (facility uint))
  (get owner (map-get? facilities facility))
)

(define-read-only (is-approved (facility uint))
  (is-eq (some APPROVED) (get status (map-get? facilities facility)))
)

(define-public (set-administrator (next principal))
  (begin
    (asserts! (is-eq tx-sender (var-get administrator)) ERR-NOT-ALLOWED)
    (ok (var-set administrator next))
  )
)

(define-public (register-facility (capacity-wh uint) (power-w uint) (location (string-utf8 100)))
  (let ((facility (+ (var-get facility-count) u1)))
    (asserts! (and (> capacity-wh u0) (> power-w u0)) ERR-NOTHING)
    (map-set facilities facility {
      owner: tx-sender, capacity-wh: capacity-wh, power-w: power-w, location: location, status: PENDING
    })
    (var-set facility-count facility)
    (print { event: "registered", facility: facility, owner: tx-sender })
    (ok facility)
  )
)

(define-public (approve-facility (facility uint))
  (decide facility APPROVED)
)

;; Also takes an approval back.
(define-public (reject-facility (facility uint))
  (decide facility REJECTED)
)

(define-private (decide (facility uint) (status uint))
  (let ((known (unwrap! (map-get? facilities facility) ERR-UNKNOWN-FACILITY)))
    (asserts! (is-eq tx-sender (var-get administrator)) ERR-NOT-ALLOWED)
    (asserts! (not (is-eq status (get status known))) ERR-WRONG-STATUS)
    (map-set facilities facility (merge known { status: status }))
    (print { event: "decided", facility: facility, status: status })
    (ok status)
  )
)
