### A profile: its faults in plain words.

profile-lead = { $faults ->
    [one] One fault is watched
   *[other] { $faults } faults are watched
} on { $devices ->
    [one] one device
   *[other] { $devices } devices
}. In 30 days they opened { $tickets ->
    [0] no ticket
    [one] one ticket
   *[other] { $tickets } tickets
}.
profile-models = Models
profile-meaning = Judged: enough data to say. Learning: the baseline is not complete. Blind: a gate, a missing signal or too little use keeps it from judging. Right: verdicts that confirm the fault, of all that count.
profile-warning = Warning
profile-fault = Fault
profile-ends = Ends
profile-then = Then
profile-recheck = Recheck
profile-latched = Only when a person or a new part clears it.
profile-fault-latched = The fault stage only by a person or a new part.
profile-parts-of = Parts { $parts }.
profile-stop = .
profile-gap = {" "}
profile-comma = {", "}
profile-live = Live
profile-shadow = Shadow
profile-off = Off
profile-opened = Tickets in 30 d
profile-right = Right when checked
profile-right-of = { $percent }, { $right } of { $checked }
profile-likely = likely { $low } to { $high }
profile-right-none = none yet
profile-right-needs = needs { $least } verdicts
profile-right-unknown = not known yet
profile-right-few = { $right } of { $checked } right; needs { $least } verdicts
profile-n-judged = { $n } judged:
profile-n-normal = { $n } normal
profile-n-pending = { $n } pending
profile-n-active = { $n } active
profile-n-learning = { $n } learning
profile-n-blind = { $n } blind
profile-written = Rule as written
profile-parts = Parts

blind-frozen = { $n } stopped after an internal error
blind-held-back = { $n } held back by another fault
blind-not-now = { $n } outside the circumstances in which it is judged
blind-no-signal = { $n } never sent a signal that it needs
blind-stale = { $n } without fresh readings
blind-invalid = { $n } with a reading that its sensor cannot deliver
blind-learning = { $n } with too few values so far
blind-no-result = { $n } without enough use to tell
