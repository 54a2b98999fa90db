;; One hash chain of signed records for each gateway key, as docs/attestation.md says: takes the next link, keeps
;; what others pay by.
;;
;; A record comes as the words of its EIP-712 struct; its digest is made here, with the domain of this contract, and
;; the key recovered from the signature. Anybody may submit. A record is refused only for its place or its
;; signature, never for what it says. Clarity takes a signature with a high s, too: what has been taken is not taken
;; again, because its sequence has passed.

(define-constant INTERVAL u1)
(define-constant DELIVERY u2)
(define-constant GAP u3)
(define-constant SETUP u4)
(define-constant ROTATION u5)
(define-constant REVOCATION u6)
(define-constant RING u128) ;; intervals that stay readable: 32 h of 15 min

(define-constant ERR-NOT-ALLOWED (err u200))
(define-constant ERR-UNKNOWN-KEY (err u201)) ;; not bound, closed, or the record is not what was signed
(define-constant ERR-SIGNATURE (err u202))
(define-constant ERR-SEQUENCE (err u203))
(define-constant ERR-PREVIOUS (err u204)) ;; `previous` or `site` is not that of the chain
(define-constant ERR-KIND (err u205))
(define-constant ERR-CONSENT (err u206)) ;; the key to be bound did not sign its Possession
(define-constant ERR-KEY-USED (err u207))
(define-constant ERR-ASSET (err u208))
(define-constant ERR-WORDS (err u209))

;; keccak256 of the type strings of docs/attestation.md.
(define-constant DOMAIN-TYPE 0x8b73c3c69bb8fe3d512ecc4cf759cc79239f7b179b0ffacaa9a75d522b39400f)
(define-constant NAME-HASH 0x3f9161081ccb162449c57eb44f9bbbe99aca598e6aff23df8c89cf8b2404868c)
(define-constant VERSION-HASH 0xc89efdaa54c0f20c7adf612882df0950f5a951637e0307cdcb4c672f298b8bc6)
(define-constant POSSESSION-TYPE 0xb30e021af8c14042ba08e0443e817ae0a11a41c92bda2ad2cfdbe6c024c26f82)
(define-constant TYPES (list
  0x0beb2902c66de99fbb18575b565973a5fd00bfeb4ba5ae2ee1ab741c1f119d97
  0x021c7d3d6ba8588461edbad697ea3d089c8a4974ab7210ef384582b7affc65c5
  0xe5c3d6f3836409c8a63fa4b80ebb4952c246d017ec501b676621800409934929
  0xe0bfb8091ff4b70b1169061bdc18ee08b6cb3c1aade8ba9175da21d44bc3f118
  0x207dcb492bf96b5e73e7b103c3f9a3b1395018cf024610d7f31364db61d7464a
  0x66b396f5ab1480b72b26c17db1e4b8d631b318e3e71703598f6040dacf5dd80f
))
(define-constant FIELDS (list u20 u20 u7 u7 u7 u5)) ;; words of each kind
(define-constant ZERO 0x0000000000000000000000000000000000000000000000000000000000000000)
(define-constant HALF 0x00000000000000000000000000000000)

(define-map keys (buff 33) (buff 20)) ;; compressed key -> its Ethereum address, for ever
(define-map heads
  (buff 20)
  { active: bool, facility: uint, site: (buff 32), sequence: uint, digest: (buff 32) }
)
(define-map predecessors (buff 20) (buff 20))
(define-map gateways uint { address: (buff 20), account: principal }) ;; of a facility, while a key is bound
(define-map newest uint (buff 20)) ;; the last key ever bound, whatever became of it
(define-map intervals
  { facility: uint, slot: uint }
  {
    sequence: uint, start: uint, end: uint, charged: uint, discharged: uint, soc: uint, available: uint,
    digest: (buff 32)
  }
)
(define-map latest uint uint) ;; facility -> sequence of its newest interval
(define-map deliveries
  { facility: uint, command: (buff 32) }
  { sequence: uint, start: uint, end: uint, energy: int, available: uint, outcome: uint }
)

;; ---- digests --------------------------------------------------------------------------------------------------

;; What stands for this contract in the domain: the last 20 bytes of keccak256 of its principal, as SIP-005 has it.
(define-read-only (verifying-contract)
  (tail20 (keccak256 (unwrap-panic (to-consensus-buff? (as-contract tx-sender)))))
)

(define-read-only (domain-separator)
  (keccak256 (concat DOMAIN-TYPE (concat NAME-HASH (concat VERSION-HASH (concat
    (word-of chain-id) (concat 0x000000000000000000000000 (verifying-contract)))))))
)

(define-read-only (record-digest (kind uint) (words (buff 640)))
  (match (element-at? TYPES (- kind u1))
    type (ok (typed-digest (keccak256 (concat type words))))
    ERR-KIND
  )
)

(define-private (typed-digest (struct (buff 32)))
  (keccak256 (concat 0x1901 (concat (domain-separator) struct)))
)

(define-private (word-of (number uint))
  (concat HALF (unwrap-panic (as-max-len? (unwrap-panic (slice? (unwrap-panic (to-consensus-buff? number)) u1 u17)) u16)))
)

(define-private (tail20 (raw (buff 32)))
  (unwrap-panic (as-max-len? (unwrap-panic (slice? raw u12 u32)) u20))
)

(define-private (word (words (buff 640)) (place uint))
  (unwrap-panic (as-max-len? (unwrap-panic (slice? words (* place u32) (* (+ place u1) u32))) u32))
)

(define-private (low-half (words (buff 640)) (place uint))
  (unwrap-panic (as-max-len? (unwrap-panic (slice? words (+ (* place u32) u16) (* (+ place u1) u32))) u16))
)

(define-private (uint-at (words (buff 640)) (place uint))
  (buff-to-uint-be (low-half words place))
)

(define-private (int-at (words (buff 640)) (place uint))
  (buff-to-int-be (low-half words place))
)

;; The compressed key that signed. A signature ends with 27 or 28, where Clarity wants 0 or 1.
(define-private (signer (digest (buff 32)) (signature (buff 65)))
  (let (
    (last (unwrap! (element-at? signature u64) ERR-SIGNATURE))
    (compact (unwrap! (slice? signature u0 u64) ERR-SIGNATURE))
  )
    (asserts! (or (is-eq last 0x1b) (is-eq last 0x1c)) ERR-SIGNATURE)
    (ok (unwrap!
      (secp256k1-recover? digest
        (unwrap-panic (as-max-len? (concat compact (if (is-eq last 0x1b) 0x00 0x01)) u65)))
      ERR-SIGNATURE
    ))
  )
)

(define-private (compressed (key (buff 64)))
  (unwrap-panic (as-max-len? (concat
    (if (is-eq (mod (buff-to-uint-be (unwrap-panic (element-at? key u63))) u2) u0) 0x02 0x03)
    (unwrap-panic (slice? key u0 u32))
  ) u33))
)

;; ---- keys -----------------------------------------------------------------------------------------------------

(define-read-only (gateway-of (facility uint))
  (get address (map-get? gateways facility))
)

(define-read-only (predecessor-of (gateway (buff 20)))
  (map-get? predecessors gateway)
)

(define-read-only (last-sequence (gateway (buff 20)))
  (default-to u0 (get sequence (map-get? heads gateway)))
)

;; Whether the account is the one of the key that speaks for the facility: it pays for its own transactions.
(define-read-only (is-gateway (facility uint) (account principal))
  (is-eq (some account) (get account (map-get? gateways facility)))
)

;; Binds the first key, or replaces one that is lost: by the facility's owner, whom the key (X and Y) names in its
;; Possession, with the 20 bytes of the owner's address as its binder. A key is bound once, for ever.
(define-public (set-gateway-key (facility uint) (key (buff 64)) (site (buff 32)) (possession (buff 65)))
  (let ((binder (get hash-bytes (unwrap! (principal-destruct? tx-sender) ERR-NOT-ALLOWED))))
    (asserts! (is-owner facility) ERR-NOT-ALLOWED)
    (try! (agreed key binder facility site possession))
    (close facility)
    (try! (open facility key { active: true, facility: facility, site: site, sequence: u0, digest: ZERO }))
    (ok true)
  )
)

;; Nobody speaks for the facility from now on.
(define-public (revoke-gateway-key (facility uint))
  (begin
    (asserts! (is-owner facility) ERR-NOT-ALLOWED)
    (ok (close facility))
  )
)

(define-private (is-owner (facility uint))
  (is-eq (some tx-sender) (contract-call? .facility-verification get-owner facility))
)

(define-private (agreed (key (buff 64)) (binder (buff 20)) (facility uint) (site (buff 32)) (possession (buff 65)))
  (let (
    (struct (keccak256 (concat POSSESSION-TYPE (concat
      (concat 0x000000000000000000000000 binder) (concat (word-of facility) site)))))
    (by (try! (signer (typed-digest struct) possession)))
  )
    (ok (asserts! (and (is-eq (len key) u64) (is-eq by (compressed key))) ERR-CONSENT))
  )
)

(define-private (close (facility uint))
  (match (map-get? gateways facility)
    bound (let ((head (unwrap-panic (map-get? heads (get address bound)))))
      (map-set heads (get address bound) (merge head { active: false }))
      (map-delete gateways facility)
    )
    false
  )
)

(define-private (open
    (facility uint)
    (key (buff 64))
    (head { active: bool, facility: uint, site: (buff 32), sequence: uint, digest: (buff 32) })
  )
  (let (
    (address (tail20 (keccak256 key)))
    (public (compressed key))
    (account (unwrap! (principal-of? public) ERR-CONSENT))
  )
    (asserts! (map-insert keys public address) ERR-KEY-USED)
    (asserts! (map-insert heads address head) ERR-KEY-USED)
    (match (map-get? newest facility) before (map-set predecessors address before) false)
    (map-set newest facility address)
    (map-set gateways facility { address: address, account: account })
    (print { event: "bound", facility: facility, gateway: address, account: account })
    (ok true)
  )
)

;; ---- records --------------------------------------------------------------------------------------------------

;; What submit-record would say, for whoever wants to know before paying for it.
(define-read-only (check-record (kind uint) (words (buff 640)) (signature (buff 65)))
  (let (
    (digest (try! (record-digest kind words)))
    (by (try! (signer digest signature)))
    (gateway (unwrap! (map-get? keys by) ERR-UNKNOWN-KEY))
    (head (unwrap! (map-get? heads gateway) ERR-UNKNOWN-KEY))
    (last (get sequence head))
  )
    (asserts! (is-eq (len words) (* u32 (unwrap! (element-at? FIELDS (- kind u1)) ERR-KIND))) ERR-WORDS)
    (asserts! (get active head) ERR-UNKNOWN-KEY)
    (asserts! (is-eq (word words u0) (get site head)) ERR-PREVIOUS)
    (asserts! (or (is-eq (uint-at words u1) (+ last u1)) (may-jump kind words last)) ERR-SEQUENCE)
    (asserts!
      (or (> (uint-at words u1) (+ last u1)) (is-eq (word words u2) (get digest head)))
      ERR-PREVIOUS
    )
    (ok { gateway: gateway, head: head, digest: digest })
  )
)

;; How far a Gap may be ahead of the chain: causes 1 and 2 say that what is between is lost, 4 passes over one record
;; that does not fit, or at the beginning over those for another contract.
(define-private (may-jump (kind uint) (words (buff 640)) (last uint))
  (let ((sequence (uint-at words u1)))
    (and
      (is-eq kind GAP)
      (> sequence last)
      (let ((cause (uint-at words u6)))
        (if (is-eq cause u4)
          (or (is-eq last u0) (is-eq sequence (+ last u2)))
          (or (is-eq cause u1) (is-eq cause u2))
        )
      )
    )
  )
)

;; Takes the next record of any kind but a Rotation. `words`: the struct's fields, 32 bytes each, in order.
(define-public (submit-record (kind uint) (words (buff 640)) (signature (buff 65)))
  (let (
    (found (try! (check-record kind words signature)))
    (facility (get facility (get head found)))
  )
    (asserts! (not (is-eq kind ROTATION)) ERR-KIND)
    (advance found words)
    (if (is-eq kind INTERVAL) (keep-interval facility words (get digest found)) false)
    (if (is-eq kind DELIVERY) (keep-delivery facility words) false)
    (if (is-eq kind REVOCATION) (close facility) false)
    (print { event: "record", facility: facility, kind: kind, sequence: (uint-at words u1), digest: (get digest found) })
    (ok true)
  )
)

;; What submit-rotation would say.
(define-read-only (check-rotation (words (buff 640)) (signature (buff 65)) (key (buff 64)) (possession (buff 65)))
  (let (
    (found (try! (check-record ROTATION words signature)))
    (head (get head found))
  )
    (asserts! (is-eq (uint-at words u5) (get facility head)) ERR-ASSET)
    (asserts! (is-eq (word words u4) (concat 0x000000000000000000000000 (tail20 (keccak256 key)))) ERR-CONSENT)
    (asserts! (is-eq (word words u6) (keccak256 possession)) ERR-CONSENT)
    (try! (agreed key (get gateway found) (get facility head) (get site head) possession))
    (asserts! (is-none (map-get? keys (compressed key))) ERR-KEY-USED)
    (ok found)
  )
)

;; Takes a Rotation, the last record of its key; the chain goes on with the next key (X and Y).
(define-public (submit-rotation (words (buff 640)) (signature (buff 65)) (key (buff 64)) (possession (buff 65)))
  (let (
    (found (try! (check-rotation words signature key possession)))
    (facility (get facility (get head found)))
  )
    (advance found words)
    (close facility)
    (try! (open facility key (merge (get head found) { sequence: (uint-at words u1), digest: (get digest found) })))
    (print { event: "record", facility: facility, kind: ROTATION, sequence: (uint-at words u1), digest: (get digest found) })
    (ok true)
  )
)

(define-private (advance
    (found {
      gateway: (buff 20),
      head: { active: bool, facility: uint, site: (buff 32), sequence: uint, digest: (buff 32) },
      digest: (buff 32)
    })
    (words (buff 640))
  )
  (map-set heads (get gateway found)
    (merge (get head found) { sequence: (uint-at words u1), digest: (get digest found) }))
)

(define-private (keep-interval (facility uint) (words (buff 640)) (digest (buff 32)))
  (let ((sequence (uint-at words u1)))
    (map-set intervals { facility: facility, slot: (mod sequence RING) } {
      sequence: sequence,
      start: (uint-at words u3),
      end: (uint-at words u4),
      charged: (uint-at words u7),
      discharged: (uint-at words u8),
      soc: (uint-at words u13),
      available: (uint-at words u15),
      digest: digest
    })
    (map-set latest facility sequence)
  )
)

;; The first delivery of a command counts; a later one only takes its place in the chain.
(define-private (keep-delivery (facility uint) (words (buff 640)))
  (map-insert deliveries { facility: facility, command: (word words u3) } {
    sequence: (uint-at words u1),
    start: (uint-at words u4),
    end: (uint-at words u5),
    energy: (int-at words u7),
    available: (uint-at words u13),
    outcome: (uint-at words u17)
  })
)

(define-read-only (get-interval (facility uint) (sequence uint))
  (match (map-get? intervals { facility: facility, slot: (mod sequence RING) })
    found (if (is-eq sequence (get sequence found)) (some found) none)
    none
  )
)

(define-read-only (get-latest (facility uint))
  (get-interval facility (default-to u0 (map-get? latest facility)))
)

(define-read-only (get-delivery (facility uint) (command (buff 32)))
  (map-get? deliveries { facility: facility, command: command })
)
