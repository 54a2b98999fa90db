;; How much an approved facility can hold, and how much of it can be taken out now, as its gateway says.

(define-constant ERR-NOT-ALLOWED (err u300))
(define-constant ERR-NOT-APPROVED (err u301))
(define-constant ERR-NOT-INITIALIZED (err u302))
(define-constant ERR-TOO-MUCH (err u303))

(define-map capacities uint { total-wh: uint, available-wh: uint, updated: uint })

(define-read-only (get-capacity (facility uint))
  (map-get? capacities facility)
)

;; Also when the usable capacity has changed.
(define-public (initialize-capacity (facility uint) (total-wh uint))
  (begin
    (asserts! (contract-call? .record-chain is-gateway facility tx-sender) ERR-NOT-ALLOWED)
    (asserts! (contract-call? .facility-verification is-approved facility) ERR-NOT-APPROVED)
    (put facility total-wh
      (least total-wh (default-to u0 (get available-wh (map-get? capacities facility)))))
  )
)

(define-public (update-capacity (facility uint) (available-wh uint))
  (let ((known (unwrap! (map-get? capacities facility) ERR-NOT-INITIALIZED)))
    (asserts! (contract-call? .record-chain is-gateway facility tx-sender) ERR-NOT-ALLOWED)
    (asserts! (<= available-wh (get total-wh known)) ERR-TOO-MUCH)
    (put facility (get total-wh known) available-wh)
  )
)

(define-private (put (facility uint) (total-wh uint) (available-wh uint))
  (begin
    (map-set capacities facility {
      total-wh: total-wh, available-wh: available-wh, updated: stacks-block-height
    })
    (print { event: "capacity", facility: facility, total-wh: total-wh, available-wh: available-wh })
    (ok true)
  )
)

(define-private (least (a uint) (b uint))
  (if (< a b) a b)
)
