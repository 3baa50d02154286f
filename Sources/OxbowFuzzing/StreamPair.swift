import OxbowCore
import OxbowProtocols
import OxbowWire

extension FuzzTarget {
    /// Both ends of a stream's opening, with bytes of the application right behind, cut and interleaved as the input
    /// says. However that is: both come to the same, and each side's bytes arrive whole.
    static func streamPair(_ input: inout FuzzInput) throws(FuzzFailure) -> Verdict {
        var pair = StreamPair(&input)
        while !input.isEmpty { try pair.carry(toListener: input.bool(), count: 1 + input.int(below: 40)) }
        // What is still under way arrives, so that both come to an end.
        for _ in 0..<8 {
            try pair.carry(toListener: true, count: .max)
            try pair.carry(toListener: false, count: .max)
        }
        try pair.checkEnd()
        return .accepted
    }
}

private struct StreamPair {
    private static let fromDialer: [UInt8] = [0xd0, 0xd1, 0x00, 0x13, 0x2f]
    private static let fromListener: [UInt8] = [0xe0, 0x00, 0xe1]

    private let kind: UInt8
    private var dialer: OutboundStreamNegotiation
    private var listener: InboundStreamNegotiation
    private var toListener: [UInt8]
    private var toDialer: [UInt8]
    private var dialerInput: ArraySlice<UInt8> = []
    private var listenerInput: ArraySlice<UInt8> = []
    private var dialerEnd: OutboundStreamNegotiation.Step?
    private var listenerEnd: InboundStreamNegotiation.Step?

    init(_ input: inout FuzzInput) {
        kind = input.byte()
        let intent: OutboundStreamNegotiation.Intent =
            switch kind / 4 % 4 {
            case 0: .plain(protocols: ["/a"])
            case 1: .labelled(id: 7, protocols: ["/a"])
            case 2: .labelled(id: 1 << 63, protocols: ["/x", "/a"])
            default: .target(id: .max, from: 0)
            }
        dialer = OutboundStreamNegotiation(intent, dialect: kind & 1 == 0 ? .draft : .proofOfConcept)
        listener = InboundStreamNegotiation(eager: kind & 2 != 0)
        toListener = dialer.start()
        if dialer.canSendApplicationData { toListener += Self.fromDialer }
        toDialer = listener.start()
    }

    private var isTarget: Bool { kind / 4 % 4 == 3 }
    private var isPipelined: Bool { kind / 4 % 4 < 2 }

    mutating func carry(toListener isToListener: Bool, count: Int) throws(FuzzFailure) {
        if isToListener {
            listenerInput += toListener.prefix(count)
            toListener.removeFirst(min(count, toListener.count))
            try stepListener()
        } else {
            dialerInput += toDialer.prefix(count)
            toDialer.removeFirst(min(count, toDialer.count))
            try stepDialer()
        }
    }

    private mutating func stepListener() throws(FuzzFailure) {
        guard listenerEnd == nil else { return }
        let step: InboundStreamNegotiation.Step
        do { step = try listener.receive(&listenerInput, isSupported: { $0 == "/a" }) } catch {
            throw FuzzFailure("the listener fails at a dialer of its own kind: \(error)")
        }
        switch step {
        case .needMore(let send): toDialer += send
        case .ready(_, _, let send):
            toDialer += send + Self.fromListener
            listenerEnd = step
        case .migrate(_, _, _, let send):
            toDialer += send + listener.answer(accept: kind & 16 == 0) + (kind & 16 == 0 ? Self.fromListener : [])
            listenerEnd = step
        }
    }

    private mutating func stepDialer() throws(FuzzFailure) {
        guard dialerEnd == nil else { return }
        let step: OutboundStreamNegotiation.Step
        do { step = try dialer.receive(&dialerInput) } catch {
            throw FuzzFailure("the dialer fails at a listener of its own kind: \(error)")
        }
        if case .needMore(let send) = step {
            toListener += send
        } else {
            dialerEnd = step
            if !isPipelined, dialer.canSendApplicationData { toListener += Self.fromDialer }
        }
    }

    func checkEnd() throws(FuzzFailure) {
        switch (dialerEnd, listenerEnd) {
        case (.ready(let mine), .ready(let theirs, let label, _)):
            try require(mine == "/a" && theirs == "/a" && !isTarget, "both agree on what both have")
            let wanted: UInt64? = [nil, 7, 1 << 63, nil][Int(kind / 4 % 4)]
            try requireEqual(label, wanted, "the label arrives")
        case (.answer(let isAccepted), .migrate(let id, let from, let dialect, _)):
            try require(isTarget && id == .max && from == 0, "the Migrate arrives")
            try requireEqual(dialect, kind & 1 == 0 ? .draft : .proofOfConcept, "the dialect is that of the name")
            try requireEqual(isAccepted, kind & 16 == 0, "the answer arrives")
        default:
            throw FuzzFailure("\(String(describing: dialerEnd)) at the one end, \(String(describing: listenerEnd))")
        }
        let isDenied = isTarget && kind & 16 != 0
        try requireEqual(Array(listenerInput), isDenied ? [] : Self.fromDialer, "the dialer's bytes arrive")
        try requireEqual(Array(dialerInput), isDenied ? [] : Self.fromListener, "the listener's bytes arrive")
    }
}
