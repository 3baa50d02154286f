import OxbowCore
import OxbowExplorer
import OxbowMux
import OxbowSeeds
import Testing

/// The explorer's connections and underlying streams do what two real Yamux sessions do: both go through the same random
/// events, one unit being half of Yamux's first window, and are compared after each.
@Suite struct WireTests {
    @Test func actsAsYamux() throws {
        var reached: Set<Reached> = []
        for seed in UInt64(0)..<300 {
            var both = try BothWires()
            var random = SplitMix64(seed: seed)
            for step in 0..<60 {
                try both.act(using: &random)
                let difference = both.difference()
                #expect(difference == nil, "seed \(seed), step \(step): \(difference ?? "")")
                if difference != nil { return }
            }
            reached.formUnion(both.reached)
        }
        #expect(reached == Set(Reached.allCases), "the events don't reach everything")
    }
}

enum Reached: Hashable, CaseIterable {
    case blocked, reset, resetWithUnread, abandoned, closed, credited, endBehindBlocked
}

/// What one side has seen of one stream.
private struct Seen: Hashable {
    var units = 0
    var unread = 0
    var isEnded = false
    var isReset = false
}

/// Three streams of one connection, as the explorer models them and as Yamux runs them.
private struct BothWires {
    private static let unit = YamuxConfiguration.initialWindow / 2
    private static let count = 3

    var reached: Set<Reached> = []
    private var model: World
    private let wires: [Int]
    private var modelSeen = Array(repeating: Array(repeating: Seen(), count: count), count: 2)

    private var sessions: [YamuxSession]
    private var ids: [YamuxStreamID] = []
    /// Frames on the way to each side.
    private var frames: [[YamuxFrameHeader]] = [[], []]
    private var realSeen = Array(repeating: Array(repeating: Seen(), count: count), count: 2)

    // The driver's part, the same for both.
    private var pending = Array(repeating: Array(repeating: 0, count: count), count: 2)
    private var isFinishing = Array(repeating: Array(repeating: false, count: count), count: 2)

    init() throws {
        let plan = Plan("wires") {
            $0.topology = .joint
            $0.window = 2
        }
        model = World(plan)
        wires = (0..<Self.count).map { [m = model] in m.wires.count + $0 }
        for _ in 0..<Self.count { model.addAttachedWire(plan) }
        var configuration = YamuxConfiguration()
        configuration.keepAliveInterval = nil
        configuration.maximumFramePayload = Self.unit
        configuration.maximumWindow = YamuxConfiguration.initialWindow
        sessions = [YamuxRole.client, .server].map {
            YamuxSession(role: $0, configuration: configuration, now: .zero)
        }
        for _ in 0..<Self.count { ids.append(try sessions[0].open(at: .zero)) }
        pull(0)
        try deliverReal(to: 1)
        for id in ids { sessions[1].accept(id) }
        pull(1)
        try deliverReal(to: 0)
    }

    // MARK: Events

    mutating func act(using random: inout SplitMix64) throws {
        let side = Int.random(in: 0...1, using: &random)
        let stream = Int.random(in: 0..<Self.count, using: &random)
        let isOpen = model.isOpen(wires[stream], side)
        switch Int.random(in: 0..<20, using: &random) {
        case 0..<6 where isOpen && !isFinishing[side][stream]:
            pending[side][stream] += 1
        case 6..<8 where isOpen:
            isFinishing[side][stream] = true
        case 8..<12:
            try consume(side, stream)
        case 12 where isOpen:
            if realSeen[side][stream].unread > 0 { reached.insert(.resetWithUnread) }
            model.reset(wires[stream], by: side)
            sessions[side].reset(ids[stream])
            pending[side][stream] = 0
        case 13 where isOpen && pending[side][stream] == 0:
            reached.insert(.abandoned)
            try model.abandon(wires[stream], by: side)
            sessions[side].abandon(ids[stream], at: .zero)
            isFinishing[side][stream] = true
        case 14...:
            try deliverModel(to: side)
            try deliverReal(to: side)
        default: break
        }
        for side in 0...1 { try frame(side) }
    }

    private mutating func consume(_ side: Int, _ stream: Int) throws {
        let count = modelSeen[side][stream].unread
        guard count > 0, model.isOpen(wires[stream], side), !model.isAbandoned(wires[stream], side) else { return }
        modelSeen[side][stream].unread = 0
        realSeen[side][stream].unread = 0
        if !model.hasReadFIN(wires[stream], side) {
            reached.insert(.credited)
            try model.send(.credit, value: count, by: side, on: wires[stream])
        }
        sessions[side].consumed(ids[stream], bytes: count * Self.unit, at: .zero)
    }

    /// What is pending is framed as far as the windows go, as ``World`` does it for a leg.
    private mutating func frame(_ side: Int) throws {
        for stream in 0..<Self.count {
            let wire = wires[stream]
            guard model.isOpen(wire, side) else {
                pending[side][stream] = 0
                continue
            }
            if !model.isAbandoned(wire, side) {
                sessions[side].setPending(ids[stream], bytes: pending[side][stream] * Self.unit)
                if isFinishing[side][stream] { sessions[side].finish(ids[stream]) }
            }
            while pending[side][stream] > 0, model.wires[wire].ends[side].window > 0 {
                pending[side][stream] -= 1
                model.takeWindow(wire, side)
                try model.send(.byte, by: side, on: wire)
            }
            if pending[side][stream] > 0 { reached.insert(isFinishing[side][stream] ? .endBehindBlocked : .blocked) }
            if isFinishing[side][stream], pending[side][stream] == 0, !model.wires[wire].ends[side].isFINSent {
                try model.send(.fin, by: side, on: wire)
            }
        }
        pull(side)
    }

    private mutating func pull(_ side: Int) {
        while let frame = sessions[side].nextFrame(maximumPayload: Self.unit, at: .zero) {
            frames[1 - side].append(frame.header)
        }
        drain(side)
    }

    /// Everything that is on the way to a side arrives.
    private mutating func deliverModel(to side: Int) throws {
        model.trim()
        while let frame = model.connections[0].toward[side].first(where: { wires.contains(Int($0.wire)) }) {
            model.removeFirst(toward: side)
            let stream = Int(frame.wire) - wires[0]
            switch frame.kind {
            case .byte:
                modelSeen[side][stream].units += 1
                modelSeen[side][stream].unread += 1
            case .fin:
                modelSeen[side][stream].isEnded = true
                model.readFIN(Int(frame.wire), side)
            case .credit: model.giveWindow(Int(frame.wire), side, frame.value)
            case .reset:
                reached.insert(.reset)
                modelSeen[side][stream].isReset = true
                model.leave(Int(frame.wire), side)
            default: break
            }
            model.trim()
        }
    }

    private mutating func deliverReal(to side: Int) throws {
        let arrived = frames[side]
        frames[side] = []
        for header in arrived {
            try sessions[side].receive(header, at: .zero)
            drain(side)
            guard let body = sessions[side].pendingBody else { continue }
            if case .deliver(let id, let bytes, _) = sessions[side].receiveBody(body.remaining, at: .zero),
                let stream = ids.firstIndex(of: id)
            {
                realSeen[side][stream].units += bytes / Self.unit
                realSeen[side][stream].unread += bytes / Self.unit
            }
            drain(side)
        }
    }

    private mutating func drain(_ side: Int) {
        while let event = sessions[side].nextEvent() {
            switch event {
            case .finRead(let id):
                if let stream = ids.firstIndex(of: id), !model.isAbandoned(wires[stream], side) {
                    realSeen[side][stream].isEnded = true
                }
            case .streamReset(let id, _, _), .streamUnopened(let id):
                if let stream = ids.firstIndex(of: id) { realSeen[side][stream].isReset = true }
            case .streamClosed: reached.insert(.closed)
            default: break
            }
        }
    }

    // MARK: Comparing

    func difference() -> String? {
        for side in 0...1 {
            for stream in 0..<Self.count {
                let what = "stream \(stream) at side \(side)"
                let (wire, id) = (wires[stream], ids[stream])
                var (seen, real) = (modelSeen[side][stream], realSeen[side][stream])
                // What an abandoned stream still gets is nobody's; the model doesn't keep it.
                if model.isAbandoned(wire, side) || !model.isOpen(wire, side) {
                    (seen.isReset, real.isReset, seen.isEnded, real.isEnded) = (false, false, false, false)
                }
                if seen != real { return "\(what): \(seen) is not \(real)" }
                // The model takes the FIN for an abandoned stream when it is sent, the session when it arrives.
                if model.isOpen(wire, side) != sessions[side].isOpen(id),
                    model.isOpen(wire, side) || frames[side].isEmpty
                {
                    return "\(what): open \(model.isOpen(wire, side)) is not \(sessions[side].isOpen(id))"
                }
                guard model.isOpen(wire, side), sessions[side].isOpen(id), !model.isAbandoned(wire, side) else {
                    continue
                }
                let window = Int(model.wires[wire].ends[side].window)
                let realWindow = sessions[side].sendWindow(id) / Self.unit
                if window != realWindow { return "\(what): window \(window) is not \(realWindow)" }
            }
        }
        return nil
    }
}

extension World {
    fileprivate func isOpen(_ wire: Int, _ side: Int) -> Bool { wires[wire].ends[side].stage != .gone }
    fileprivate func isAbandoned(_ wire: Int, _ side: Int) -> Bool { wires[wire].ends[side].stage == .abandoned }
    fileprivate func hasReadFIN(_ wire: Int, _ side: Int) -> Bool { wires[wire].ends[side].isFINRead }

    fileprivate mutating func addAttachedWire(_ plan: Plan) {
        let wire = addWire(plan, link: 0, opener: 0, stage: .attached(0))
        wires[wire].ends.second.stage = .attached(0)
    }

    fileprivate mutating func takeWindow(_ wire: Int, _ side: Int) { wires[wire].ends[side].window -= 1 }

    fileprivate mutating func giveWindow(_ wire: Int, _ side: Int, _ units: UInt8) {
        wires[wire].ends[side].window += units
    }

    fileprivate mutating func readFIN(_ wire: Int, _ side: Int) {
        wires[wire].ends[side].isFINRead = true
        endIfFinished(wire, side)
    }

    fileprivate mutating func removeFirst(toward side: Int) { connections[0].toward[side].removeFirst() }
}
