import Foundation
import Oxbow

/// The second process: this program again, as a server.
final class Child {
    /// What the first argument of a server is.
    static let command = "serve"

    private let process = Process()
    private let input = Pipe()
    let peer: PeerID
    let address: Multiaddr
    /// Where the plain TCP server listens.
    let plainPort: Int

    init() throws {
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        process.arguments = [Self.command]
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        guard let line = Self.line(of: output.fileHandleForReading) else { throw Failure("the server didn't start") }
        let words = line.split(separator: " ").map(String.init)
        guard words.count == 3, let port = Int(words[2]) else { throw Failure("the server said: \(line)") }
        peer = try PeerID(words[0])
        address = try Multiaddr(words[1])
        plainPort = port
    }

    var pid: Int32 { process.processIdentifier }

    /// The server ends with its standard input, so that it never outlives this process.
    func stop() {
        try? input.fileHandleForWriting.close()
        process.waitUntilExit()
    }

    static func line(of file: FileHandle) -> String? {
        var bytes = Data()
        while !bytes.contains(10) {
            let more = file.availableData
            guard !more.isEmpty else { return nil }
            bytes += more
        }
        return String(decoding: bytes.prefix { $0 != 10 }, as: UTF8.self)
    }
}
