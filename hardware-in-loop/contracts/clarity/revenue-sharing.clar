;; What a facility earned, and who gets which share of it. Held here until somebody has it distributed.

(define-constant ERR-NOT-ALLOWED (err u600))
(define-constant ERR-SHARES (err u601))
(define-constant ERR-NOTHING (err u602))
(define-constant ERR-UNKNOWN-FACILITY (err u603))

(define-map revenues uint { pending: uint, total: uint, distributions: uint })
(define-map shares uint (list 10 { who: principal, share-bp: uint }))
(define-map history { facility: uint, number: uint } { amount: uint, at: uint })

(define-read-only (get-revenue (facility uint))
  (default-to { pending: u0, total: u0, distributions: u0 } (map-get? revenues facility))
)

(define-read-only (get-shares (facility uint))
  (default-to (list) (map-get? shares facility))
)

(define-read-only (get-distribution (facility uint) (number uint))
  (map-get? history { facility: facility, number: number })
)

;; By the facility's owner: 10,000 parts in all. The owner gets what rounding leaves, and all while there are none.
(define-public (set-shares (facility uint) (next (list 10 { who: principal, share-bp: uint })))
  (begin
    (asserts! (is-eq (some tx-sender) (contract-call? .facility-verification get-owner facility)) ERR-NOT-ALLOWED)
    (asserts! (is-eq u10000 (fold + (map share-of next) u0)) ERR-SHARES)
    (ok (map-set shares facility next))
  )
)

;; By anybody who pays it.
(define-public (add-revenue (facility uint) (amount uint))
  (let ((known (get-revenue facility)))
    (asserts! (is-some (contract-call? .facility-verification get-owner facility)) ERR-UNKNOWN-FACILITY)
    (try! (stx-transfer? amount tx-sender (as-contract tx-sender)))
    (map-set revenues facility (merge known {
      pending: (+ (get pending known) amount), total: (+ (get total known) amount)
    }))
    (print { event: "revenue", facility: facility, amount: amount })
    (ok true)
  )
)

;; By anybody: pays what is pending to those who have a share.
(define-public (distribute (facility uint))
  (let (
    (known (get-revenue facility))
    (owner (unwrap! (contract-call? .facility-verification get-owner facility) ERR-UNKNOWN-FACILITY))
    (amount (get pending known))
    (number (+ (get distributions known) u1))
  )
    (asserts! (> amount u0) ERR-NOTHING)
    (map-set revenues facility (merge known { pending: u0, distributions: number }))
    (map-set history { facility: facility, number: number } { amount: amount, at: stacks-block-height })
    (let ((left (get left (try! (fold pay (get-shares facility) (ok { amount: amount, left: amount }))))))
      (if (> left u0) (try! (as-contract (stx-transfer? left tx-sender owner))) false)
    )
    (print { event: "distributed", facility: facility, amount: amount, number: number })
    (ok amount)
  )
)

(define-private (share-of (entry { who: principal, share-bp: uint }))
  (get share-bp entry)
)

(define-private (pay (entry { who: principal, share-bp: uint }) (so-far (response { amount: uint, left: uint } uint)))
  (let (
    (state (try! so-far))
    (part (/ (* (get amount state) (get share-bp entry)) u10000))
  )
    (if (> part u0) (try! (as-contract (stx-transfer? part tx-sender (get who entry)))) false)
    (ok (merge state { left: (- (get left state) part) }))
  )
)
