import OxbowCore
import OxbowMigration

// What a driver does with a frame that arrives.

extension World {
    mutating func deliver(_ connection: Int, _ side: Int, _ run: Run) throws(Violation) {
        let frame = connections[connection].toward[side].removeFirst()
        let wire = Int(frame.wire)
        switch wires[wire].ends[side].stage {
        case .unheard:
            try opened(frame, side, run)
        case .held:
            // Its opener has nothing to say on it before it has the answer, so this gives it up.
            _ = try endedByPeer(wire, side, run)
        case .attached(let stream):
            let spot = Spot(stream: stream, side: side)
            try attached(frame, spot, run)
            try settle(spot, run)
        case .raw(let mustStayUnknown):
            try raw(frame, side, mustStayUnknown: mustStayUnknown)
        case .abandoned, .gone:
            break
        }
    }

    private mutating func opened(_ frame: Frame, _ side: Int, _ run: Run) throws(Violation) {
        let wire = Int(frame.wire)
        let link = link(of: wire)
        switch frame.kind {
        case .label:
            try labelled(frame, side, link, run)
        case .migrate:
            let migrate = HeldMigrate(
                ticket: UInt64(wire), id: UInt64(frame.value), from: UInt64(frame.from), deadline: nil)
            _ = try judge(migrate, side, link, isRepeated: false, run)
        default:
            throw Violation(.p7, "side \(side) reads \(frame.kind) first on stream \(wire)")
        }
    }

    /// The peer's label: the application gets its stream (SM-L2, SM-L4).
    private mutating func labelled(_ frame: Frame, _ side: Int, _ link: Int, _ run: Run) throws(Violation) {
        let wire = Int(frame.wire)
        guard let stream = streams.indices.first(where: { awaitsLabel($0, frame, link) }) else {
            // The third peer's. The stream that its application would get ends at once.
            let key = StreamKey(rawValue: UInt64(100 + wire))
            switch register(UInt64(frame.value), for: key, side, link, run.plan) {
            case .registered: links[link].tables[side].finish(UInt64(frame.value))
            case .wrongParity, .duplicate, .full: break
            }
            return reset(wire, by: side)
        }
        let spot = Spot(stream: stream, side: side)
        guard
            register(UInt64(frame.value), for: StreamKey(rawValue: UInt64(stream)), side, link, run.plan) == .registered
        else { throw Violation(.ids, "side \(side) refuses the label \(frame.value) of an honest peer") }
        wires[wire].ends[side].stage = .attached(stream)
        self[spot].isOpen = true
        self[spot].source = wire
        try send(.negotiated, by: side, on: wire)
        try settle(spot, run)
    }

    private func awaitsLabel(_ stream: Int, _ frame: Frame, _ link: Int) -> Bool {
        let logical = streams[stream]
        return logical.link == link && !logical.sides.second.isOpen
            && logical.sides.second.machine.id == UInt64(frame.value)
    }

    private mutating func attached(_ frame: Frame, _ spot: Spot, _ run: Run) throws(Violation) {
        let wire = Int(frame.wire)
        guard let leg = self[spot].leg(of: wire) else {
            throw Violation(.p7, "side \(spot.side) reads \(frame.kind) on stream \(wire), which is no leg any more")
        }
        switch frame.kind {
        case .negotiated:
            try step(spot, run, .negotiated) { machine, _ in
                machine.negotiated()
                return []
            }
        case .ack, .denial:
            if run.plan.mutant == .yieldedAckIgnored, leg == .yielded, frame.kind == .ack { return }
            let isAccepted = frame.kind == .ack
            if !isAccepted, leg == .target { self[spot].wasDenied = true }
            try step(spot, run, .answered(leg, isAccepted)) { $0.answered(accepted: isAccepted, on: leg, at: $1) }
        case .byte:
            try byteRead(frame.value, leg, spot, run)
        case .fin:
            wires[wire].ends[spot.side].isFINRead = true
            endIfFinished(wire, spot.side)
            try finRead(leg, spot, run)
        case .credit:
            wires[wire].ends[spot.side].window += frame.value
        case .reset:
            _ = try endedByPeer(wire, spot.side, run)
        case .label, .migrate:
            throw Violation(.p7, "side \(spot.side) reads \(frame.kind) in mid-stream")
        }
    }

    private mutating func byteRead(_ byte: UInt8, _ leg: Leg, _ spot: Spot, _ run: Run) throws(Violation) {
        guard leg != .yielded else { throw Violation(.p7, "side \(spot.side) gets bytes on a yielded target") }
        if self[spot].machine.watchesData {
            try step(spot, run, .dataRead(leg)) { $0.dataRead(on: leg, at: $1) }
        }
        guard !self[spot].isAborted else { return }
        if leg == self[spot].machine.readLeg || run.plan.mutant == .earlyBytesDelivered {
            return try enqueue(byte, spot, run)
        }
        self[spot].parked.append(byte)
        if run.plan.mutant == .creditForParked, let wire = self[spot].wire(leg) {
            try send(.credit, value: 1, by: spot.side, on: wire)
        }
    }

    private mutating func finRead(_ leg: Leg, _ spot: Spot, _ run: Run) throws(Violation) {
        let mutant = run.plan.mutant
        if leg == .source {
            let isAsking = self[spot].machine.isMigrating && !self[spot].machine.isHandingOff
            if mutant == .everyFINIsEnd || (mutant == .finNotHeld && isAsking), !self[spot].hasEnd {
                self[spot].hasEnd = true
                self[spot].hasEndEarly = true
                try checkEnd(spot)
            }
            if mutant == .everyFINCloses, !self[spot].machine.isMigrating {
                self[spot].isClosed = true
                self[spot].machine.closeWrite()
            }
            if mutant == .switchOnDeliveredEnd, self[spot].unread > 0 {
                self[spot].withheldFIN = true
                return
            }
        }
        try step(spot, run, .finRead(leg)) { $0.finRead(on: leg, at: $1) }
    }

    // MARK: The application's side of reading

    /// Puts a byte before the application.
    mutating func enqueue(_ byte: UInt8, _ spot: Spot, _ run: Run) throws(Violation) {
        let expected = Self.byte(self[spot].received + self[spot].unread, to: spot)
        guard byte == expected, !self[spot].hasEnd else {
            let end = self[spot].hasEnd ? "behind its end" : "in place of \(expected)"
            throw Violation(.p1, "side \(spot.side) gets byte \(byte) \(end)")
        }
        self[spot].unread += 1
        if run.plan.readers[spot.side] == .eager { try take(1, spot, run) }
    }

    /// Tells bytes of all streams and directions apart.
    static func byte(_ index: Int, to spot: Spot) -> UInt8 {
        UInt8(80 * spot.stream + 40 * (1 - spot.side) + index)
    }

    /// The application takes bytes: their window goes back, unless they came on an earlier leg.
    mutating func take(_ count: Int, _ spot: Spot, _ run: Run) throws(Violation) {
        self[spot].received += count
        self[spot].unread -= count
        let stale = min(count, self[spot].stale)
        self[spot].stale -= stale
        if self[spot].withheldFIN {
            self[spot].withheldFIN = false
            try step(spot, run, .finRead(.source)) { $0.finRead(on: .source, at: $1) }
        }
        let leg = self[spot].machine.readLeg
        if run.plan.usesCredit, count > stale, let wire = self[spot].wire(leg), !wires[wire].ends[spot.side].isFINRead {
            try send(.credit, value: count - stale, by: spot.side, on: wire)
        }
    }
}
