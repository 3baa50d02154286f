import Oxbow
import OxbowCommandLine
import OxbowProtocols

extension Peer {
    /// Makes certain that the peer serves a protocol, as far as its identify told: what would otherwise be a reset stream
    /// becomes a message that says what to do.
    ///
    /// - Parameter command: what to run there.
    func require(_ id: ProtocolID, command: String) throws(CommandFailure) {
        guard let info, !info.protocols.isEmpty, !info.protocols.contains(id) else { return }
        throw CommandFailure(.failed, "the peer does not serve \(id); it has to run '\(command)'")
    }
}
