import NIOCore
import OxbowCore
import OxbowSwarm
import Synchronization

/// Keeps a host connected to the network that it is to be part of: drives ``Bootstrap``.
final class BootstrapComponent: SwarmComponent {
    private let addresses: [Multiaddr]
    private let state: Mutex<State>

    private struct State {
        var machine: Bootstrap
        var timer: Scheduled<Void>?
        var dials: [PeerID: DialCall] = [:]
    }

    init(_ addresses: [Multiaddr], _ configuration: SwarmConfiguration) {
        self.addresses = addresses
        let machine = Bootstrap(
            peers: addresses.compactMap(\.peerID), keeping: configuration.discovery.bootstrapConnections,
            backOff: configuration.dialing.backOff)
        state = Mutex(State(machine: machine))
    }

    func started(in swarm: Swarm) {
        for address in addresses {
            guard let peer = address.peerID else { continue }
            swarm.peerBook.add([address], of: peer, origin: .configuration)
        }
        advance(in: swarm)
    }

    func connectionOpened(_ connection: ConnectionDriver, with peer: PeerState, in swarm: Swarm) {
        state.withLock { $0.machine.connected(peer.id) }
    }

    func measured(_ roundTrip: Duration, of connection: ConnectionDriver, with peer: PeerState, in swarm: Swarm) {
        state.withLock { $0.machine.held(peer.id) }
    }

    func connectionClosed(_ connection: ConnectionDriver, with peer: PeerState, in swarm: Swarm) {
        guard swarm.peer(peer.id) == nil else { return }
        let now = swarm.peerBook.currentTime
        state.withLock { $0.machine.disconnected(peer.id, at: now) }
        advance(in: swarm)
    }

    func close(in swarm: Swarm) {
        let calls = state.withLock { state in
            state.machine.end()
            state.timer?.cancel()
            state.timer = nil
            defer { state.dials = [:] }
            return Array(state.dials.values)
        }
        for call in calls { call.cancel() }
    }

    private func advance(in swarm: Swarm) {
        let now = swarm.peerBook.currentTime
        let dials = state.withLock { state in
            state.machine.advance(at: now).map { action in
                switch action {
                case .dial(let peer):
                    let call = DialCall()
                    state.dials[peer] = call
                    return (peer, call)
                }
            }
        }
        for (peer, call) in dials {
            // Named, so that only this machine decides when to try again.
            let named = addresses.filter { $0.peerID == peer }
            swarm.dial(PeerDialRequest(peer, at: named), call) { [weak self, weak swarm] result in
                guard let self, let swarm else { return }
                let isConnected = (try? result.get()) != nil || swarm.peer(peer) != nil
                let now = swarm.peerBook.currentTime
                state.withLock { state in
                    state.dials[peer] = nil
                    state.machine.dialled(peer, succeeded: isConnected, at: now)
                }
                advance(in: swarm)
            }
        }
        setTimer(in: swarm)
    }

    private func setTimer(in swarm: Swarm) {
        let loop = swarm.transports.tcp.group.next()
        state.withLock { state in
            state.timer?.cancel()
            state.timer = state.machine.nextWake.map { due in
                loop.scheduleTask(deadline: NIODeadline(due)) { [weak self, weak swarm] in
                    guard let self, let swarm else { return }
                    advance(in: swarm)
                }
            }
        }
    }
}
