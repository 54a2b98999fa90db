;; What facilities charge and discharge, counted from their signed intervals, and what the grid would like them to do.

(define-constant LOW u0)
(define-constant NORMAL u1)
(define-constant HIGH u2)
(define-constant CRITICAL u3)
(define-constant SOC-FULL-BP u9500) ;; above it nothing is asked to charge,
(define-constant SOC-EMPTY-BP u1500) ;; below it nothing to discharge

(define-constant ERR-NOT-ALLOWED (err u400))
(define-constant ERR-NO-RECORD (err u401))
(define-constant ERR-COUNTED (err u402))
(define-constant ERR-LEVEL (err u403))

(define-map actions
  { facility: uint, sequence: uint }
  { action: (string-ascii 9), energy-wh: uint, start: uint, end: uint }
)
(define-map totals uint { charged-wh: uint, discharged-wh: uint, sequence: uint })
(define-data-var demand { number: uint, level: uint, start: uint, end: uint } { number: u0, level: NORMAL, start: u0, end: u0 })

(define-read-only (get-action (facility uint) (sequence uint))
  (map-get? actions { facility: facility, sequence: sequence })
)

(define-read-only (get-totals (facility uint))
  (default-to { charged-wh: u0, discharged-wh: u0, sequence: u0 } (map-get? totals facility))
)

(define-read-only (get-demand)
  (var-get demand)
)

;; Counts an interval of the record chain, once: by the facility's gateway, in the order of their numbers.
(define-public (record-action (facility uint) (sequence uint))
  (let (
    (record (unwrap! (contract-call? .record-chain get-interval facility sequence) ERR-NO-RECORD))
    (before (get-totals facility))
    (charged (get charged record))
    (discharged (get discharged record))
  )
    (asserts! (contract-call? .record-chain is-gateway facility tx-sender) ERR-NOT-ALLOWED)
    (asserts! (> sequence (get sequence before)) ERR-COUNTED)
    (map-set totals facility {
      charged-wh: (+ (get charged-wh before) charged),
      discharged-wh: (+ (get discharged-wh before) discharged),
      sequence: sequence
    })
    (map-set actions { facility: facility, sequence: sequence } {
      action: (if (> charged discharged) "charge" (if (> discharged charged) "discharge" "idle")),
      energy-wh: (if (> charged discharged) (- charged discharged) (- discharged charged)),
      start: (get start record),
      end: (get end record)
    })
    (print { event: "action", facility: facility, sequence: sequence, charged: charged, discharged: discharged })
    (ok true)
  )
)

;; By the administrator: how much the grid wants power, from `start` until `end` (Unix seconds).
(define-public (set-demand-level (level uint) (start uint) (end uint))
  (begin
    (asserts! (is-eq tx-sender (contract-call? .facility-verification get-administrator)) ERR-NOT-ALLOWED)
    (asserts! (and (<= level CRITICAL) (< start end)) ERR-LEVEL)
    (print { event: "demand", level: level, start: start, end: end })
    (ok (var-set demand {
      number: (+ (get number (var-get demand)) u1), level: level, start: start, end: end
    }))
  )
)

;; What this facility is asked to do about the demand: `power-w`, + discharge, from `start` until `end`; none when
;; nothing. Each suggestion has an id of its own.
(define-read-only (get-suggested-action (facility uint))
  (let (
    (now (var-get demand))
    (soc (default-to u0 (get soc (contract-call? .record-chain get-latest facility))))
    (power-w (suggested-power facility (get level now) soc))
  )
    (if (or (is-eq power-w 0) (not (contract-call? .facility-verification is-approved facility)))
      none
      (some {
        command: (keccak256 (unwrap-panic (to-consensus-buff? {
          contract: (as-contract tx-sender), demand: now, facility: facility
        }))),
        power-w: power-w,
        start: (get start now),
        end: (get end now)
      })
    )
  )
)

(define-private (suggested-power (facility uint) (level uint) (soc uint))
  (let ((rated (to-int (default-to u0 (get power-w (contract-call? .facility-verification get-facility facility))))))
    (if (and (is-eq level LOW) (< soc SOC-FULL-BP))
      (/ (- rated) 2)
      (if (< soc SOC-EMPTY-BP)
        0
        (if (is-eq level HIGH) (/ rated 2) (if (is-eq level CRITICAL) rated 0))
      )
    )
  )
)
