import Oxbow
import OxbowCommandLine
import Synchronization

/// What is known of a demo at one moment: what the picture shows.
struct DemoState: Sendable, Equatable {
    /// A connection, in the place of the one before it with the same address.
    struct Slot: Sendable, Equatable {
        enum Phase: Sendable, Equatable {
            case open, carrying, closed
        }

        /// From 0, in the order of opening.
        var number: Int
        var address: String
        var security: String
        var phase = Phase.open
        /// Both ways together, while the stream was there.
        var bytes = 0
    }

    let plan: DemoPlan
    var processA: Int32 = 0
    var processB: Int32?
    var slots: [Slot?]
    /// The connection that carries the stream.
    var current: Int?
    var arrivedAtA = 0
    var arrivedAtB = 0
    var movesByA = 0
    var movesByB = 0
    var longestGapMilliseconds = 0.0
    /// Since the stream began.
    var seconds = 0.0

    init(_ plan: DemoPlan) {
        self.plan = plan
        slots = Array(repeating: nil, count: plan.connectionsAtFirst)
    }

    var moves: Int { movesByA + movesByB }
}

/// Collects what happens and tells it line by line; the picture asks it for the whole.
final class DemoBoard: Sendable {
    private struct Content {
        var state: DemoState
        var side: DemoSide?
        /// When the stream began, and how many bytes had arrived when it came to where it is.
        var began: ContinuousClock.Instant?
        var bytesBefore = 0
    }

    private let content: Mutex<Content>
    private let log: @Sendable (String) -> Void

    /// - Parameter log: gets a line for each thing that happens.
    init(_ plan: DemoPlan, process: Int32 = 0, log: @escaping @Sendable (String) -> Void = { _ in }) {
        var state = DemoState(plan)
        state.processA = process
        content = Mutex(Content(state: state))
        self.log = log
    }

    var state: DemoState {
        content.withLock { content in
            Self.count(&content)
            return content.state
        }
    }

    // MARK: What happens

    func peerIsReady(process: Int32) {
        content.withLock { $0.state.processB = process }
        log("B is process \(process)")
    }

    func opened(number: Int, slot: Int, address: String, security: String) {
        content.withLock { content in
            guard content.state.slots.indices.contains(slot) else { return }
            content.state.slots[slot] = DemoState.Slot(number: number, address: address, security: security)
        }
        log("connection \(number + 1) is open: \(address) (\(security))")
    }

    func streamStarted(_ side: DemoSide) {
        content.withLock { content in
            content.side = side
            content.began = ContinuousClock().now
            Self.carry(0, &content)
        }
        log("the stream is open on connection 1; both files start to flow")
    }

    func arrivedAtPeer(_ bytes: Int) {
        content.withLock { $0.state.arrivedAtB = max($0.state.arrivedAtB, bytes) }
    }

    func moved(_ move: DemoPlan.Move) {
        let state = content.withLock { content in
            Self.count(&content)
            switch move.initiator {
            case .a: content.state.movesByA += 1
            case .b: content.state.movesByB += 1
            }
            Self.carry(move.number, &content)
            return content.state
        }
        let percent = 100 * (state.arrivedAtA + state.arrivedAtB) / (2 * state.plan.size)
        log(
            "\(percent) %: \(move.initiator.rawValue) moved the stream to connection \(move.number + 1) "
                + "and closed connection \(move.number)")
    }

    // MARK: Book-keeping

    private static func carry(_ number: Int, _ content: inout Content) {
        for index in content.state.slots.indices {
            if content.state.slots[index]?.phase == .carrying { content.state.slots[index]?.phase = .closed }
            if content.state.slots[index]?.number == number { content.state.slots[index]?.phase = .carrying }
        }
        content.state.current = number
        content.bytesBefore = content.state.arrivedAtA + content.state.arrivedAtB
    }

    private static func count(_ content: inout Content) {
        guard let side = content.side, let began = content.began else { return }
        content.state.arrivedAtA = side.delivered.value
        let gap = side.stream.migrations.map(\.longestGap).max() ?? .zero
        content.state.longestGapMilliseconds = gap / .milliseconds(1)
        content.state.seconds = (ContinuousClock().now - began) / .seconds(1)
        let bytes = content.state.arrivedAtA + content.state.arrivedAtB - content.bytesBefore
        for index in content.state.slots.indices where content.state.slots[index]?.phase == .carrying {
            content.state.slots[index]?.bytes = bytes
        }
    }
}
