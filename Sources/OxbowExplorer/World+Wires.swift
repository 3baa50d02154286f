import OxbowCore
import OxbowMigration

// What a multiplexer does, for all streams of a connection. `WireTests` holds it to the real Yamux session.

extension World {
    /// Puts a frame on its connection, behind everything that was sent there before.
    package mutating func send(
        _ kind: Frame.Kind, value: Int = 0, from other: Int = 0, by side: Int, on wire: Int
    ) throws(Violation) {
        guard wires[wire].ends[side].stage != .gone else { return }
        if kind != .credit, wires[wire].ends[side].isFINSent {
            throw Violation(.p7, "side \(side) sends \(kind) behind its own FIN on stream \(wire)")
        }
        if kind == .fin { wires[wire].ends[side].isFINSent = true }
        let connection = wires[wire].connection
        if !connections[connection].isLost {
            let frame = Frame(wire: UInt8(wire), kind: kind, value: UInt8(value), from: UInt8(other))
            connections[connection].toward[1 - side].append(frame)
        }
        endIfFinished(wire, side)
    }

    /// A stream that both FINs have passed is over.
    package mutating func endIfFinished(_ wire: Int, _ side: Int) {
        let end = wires[wire].ends[side]
        if end.isFINSent, end.isFINRead { leave(wire, side) }
    }

    /// The side has no more to do with the stream; what it sent before still arrives.
    package mutating func leave(_ wire: Int, _ side: Int) {
        wires[wire].ends[side] = Wire.End(stage: .gone)
    }

    /// RST goes out behind what is on the way already, and everything that comes from now on is discarded.
    package mutating func reset(_ wire: Int, by side: Int) {
        let connection = wires[wire].connection
        guard wires[wire].ends[side].stage != .gone else { return }
        if !connections[connection].isLost {
            connections[connection].toward[1 - side].append(Frame(wire: UInt8(wire), kind: .reset))
        }
        leave(wire, side)
    }

    /// The stream is given up in order: FIN goes out, what comes in is discarded.
    package mutating func abandon(_ wire: Int, by side: Int) throws(Violation) {
        guard wires[wire].ends[side].stage != .gone else { return }
        wires[wire].ends[side].stage = .abandoned
        if !wires[wire].ends[side].isFINSent { try send(.fin, by: side, on: wire) }
    }

    /// From now on nothing arrives that is sent. What is in flight still may, until the side learns of the loss.
    mutating func lose(_ connection: Int, isSilent: Bool) {
        connections[connection].isLost = true
        connections[connection].isSilent = isSilent
        connections[connection].owesLoss = Pair(true, true)
        if isSilent { connections[connection].toward = Pair([], []) }
    }

    /// Takes arrived frames that nobody looks at.
    ///
    /// A reduction, and why it is sound: such a frame changes only its own queue and the bookkeeping of an end that is
    /// given up or gone, which no property and no machine sees. An end never comes back from there, so the frame stays of
    /// this kind whatever happens first; and no other event is enabled, disabled or changed by taking it, except that what
    /// stands behind it in its queue can arrive, which it also can if both are taken one after the other. So of all the
    /// orders in which it can be taken, the first stands for all.
    package mutating func trim() {
        for index in connections.indices {
            for side in 0...1 { trim(index, side) }
        }
    }

    private mutating func trim(_ index: Int, _ side: Int) {
        while let frame = connections[index].toward[side].first {
            let wire = Int(frame.wire)
            switch (wires[wire].ends[side].stage, frame.kind) {
            case (.gone, _), (.abandoned, .credit), (.abandoned, .byte), (.abandoned, .ack), (.abandoned, .denial),
                (.abandoned, .negotiated):
                break
            case (.abandoned, .fin):
                wires[wire].ends[side].isFINRead = true
                endIfFinished(wire, side)
            case (.abandoned, .reset):
                leave(wire, side)
            default:
                return
            }
            connections[index].toward[side].removeFirst()
        }
    }
}
