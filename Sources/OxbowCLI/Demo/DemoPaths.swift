import Oxbow
import Synchronization

/// A's connections, numbered from 0 in the order in which they are opened: the stream goes from each to the next.
final class DemoPaths: Sendable {
    let peer: PeerID
    private let plan: DemoPlan
    private let addresses: [Multiaddr]
    private let host: OxbowHost
    private let board: DemoBoard
    private let connections = Mutex<[Connection]>([])

    init(plan: DemoPlan, peer: PeerID, addresses: [Multiaddr], host: OxbowHost, board: DemoBoard) {
        (self.plan, self.peer, self.addresses, self.host, self.board) = (plan, peer, addresses, host, board)
    }

    subscript(number: Int) -> Connection { connections.withLock { $0[number] } }

    var descriptions: [DemoResult.Path] {
        connections.withLock { connections in
            connections.enumerated().map { number, connection in
                DemoResult.Path(
                    number: number + 1, address: Self.text(connection), security: Self.security(connection))
            }
        }
    }

    /// Opens the next connection, if the plan has one more.
    func openNext() async throws {
        let number = connections.withLock { $0.count }
        guard number < plan.connectionsInAll else { return }
        let slot = plan.slot(of: number)
        guard addresses.indices.contains(slot) else { throw DemoError.connectionMissing("\(slot)") }
        let connection = try await host.connectAgain(to: peer, at: [addresses[slot]])
        connections.withLock { $0.append(connection) }
        board.opened(
            number: number, slot: slot, address: Self.text(connection), security: Self.security(connection))
    }

    private static func text(_ connection: Connection) -> String {
        connection.path.remoteAddress?.description ?? "unknown"
    }

    /// `/noise` → `noise`.
    private static func security(_ connection: Connection) -> String {
        connection.path.security?.rawValue.split(separator: "/").first.map(String.init) ?? "unknown"
    }
}
