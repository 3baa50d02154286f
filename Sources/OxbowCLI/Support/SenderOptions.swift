import ArgumentParser
import Oxbow

/// Who may open streams to a command that listens.
struct SenderOptions: ParsableArguments {
    @Option(
        name: .customLong("from"),
        help: ArgumentHelp(
            "Serve only this peer; may be given several times. (default: anybody)", valueName: "peer id"),
        transform: { text in
            do { return try PeerID(text) } catch { throw ValidationError("'\(text)' is no peer id: \(error)") }
        })
    var peers: [PeerID] = []
}
