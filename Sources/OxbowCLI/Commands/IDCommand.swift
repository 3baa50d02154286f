import ArgumentParser
import Oxbow
import OxbowCommandLine

/// Makes and shows identities.
struct IDCommand: OxbowSubcommand {
    static let configuration = CommandConfiguration(
        commandName: "id", abstract: "Show this host's identity; make it when there is none.",
        discussion: """
            The key file holds the key's protobuf message as libp2p defines it, without further encoding. Only its owner \
            may be able to read it. The default is $XDG_CONFIG_HOME/oxbow/key, or ~/.config/oxbow/key.
            """)

    enum Kind: String, ExpressibleByArgument, CaseIterable, Sendable {
        case ed25519, secp256k1, ecdsa, rsa

        var type: KeyType {
            switch self {
            case .ed25519: .ed25519
            case .secp256k1: .secp256k1
            case .ecdsa: .ecdsa
            case .rsa: .rsa
            }
        }
    }

    @Option(help: ArgumentHelp("The key file.", valueName: "file"))
    var key: String?
    @Option(help: "The type of a new key. A key of another type that is there already is an error.")
    var type: Kind?
    @Flag(help: "Make a key that isn't kept.")
    var ephemeral = false
    @OptionGroup var output: OutputOptions

    func validate() throws {
        if ephemeral, key != nil { throw ValidationError("--ephemeral and --key exclude each other") }
        if key?.isEmpty == true { throw ValidationError("--key wants the name of a file") }
    }

    func perform() async throws -> [(String, JSON)] {
        let (key, path) = try identity()
        let id = key.publicKey.peerID
        if !output.json {
            StandardOutput.write(
                line: """
                    peer id   \(id)
                    CID       \(id.cidString)
                    key type  \(key.type)
                    key file  \(path ?? "none")
                    """)
        }
        return [
            ("peer_id", .string(id.description)), ("cid", .string(id.cidString)),
            ("key_type", .string("\(key.type)")), ("key_file", path.map(JSON.string) ?? .null),
        ]
    }

    private func identity() throws -> (key: PrivateKey, path: String?) {
        if ephemeral { return (try PrivateKey.generate(type?.type ?? .ed25519), nil) }
        let file = try key.map { KeyFile(path: $0) } ?? KeyFile.standard()
        let key = try file.loadOrCreate(type?.type ?? .ed25519)
        if let type = type?.type, key.type != type {
            throw KeyFileError.type(path: file.path, key.type, wanted: type)
        }
        return (key, file.path)
    }
}
