/// What a target of the package is, and which of the package's own targets it may import: the arrows of the design.
struct Layer {
    enum Kind {
        /// Protocol logic without I/O, clock, randomness, locks or tasks.
        case machine
        /// Everything that touches the world.
        case driver
        /// A system library or C code.
        case c
        /// A module of a library that machines may use: values, and no more.
        case values
    }

    let name: String
    let kind: Kind
    let imports: Set<String>
    /// Whether this is the one target that may draw random numbers: it makes keys.
    var makesKeys = false

    static func c(_ name: String, _ imports: Set<String> = []) -> Layer {
        Layer(name: name, kind: .c, imports: imports)
    }
    static func values(_ name: String) -> Layer {
        Layer(name: name, kind: .values, imports: [])
    }
    static func machine(_ name: String, _ imports: Set<String>, makesKeys: Bool = false) -> Layer {
        Layer(name: name, kind: .machine, imports: imports, makesKeys: makesKeys)
    }
    static func driver(_ name: String, _ imports: Set<String>) -> Layer {
        Layer(name: name, kind: .driver, imports: imports)
    }
}

/// From the bottom up: a layer imports only layers above its own line here. A new target is one more line; a line may
/// stand here before its target has content.
let layers: [Layer] = [
    .c("COpenSSL"),
    .c("CProtobufC"),
    .c("COpenSSLShim", ["COpenSSL"]),
    .c("OxbowMessagesC", ["CProtobufC"]),
    .values("OrderedCollections"),
    .machine("OxbowCore", ["OrderedCollections"]),
    .machine("OxbowWire", ["OxbowCore", "OxbowMessagesC", "CProtobufC"]),
    .machine("OxbowCrypto", ["OxbowCore", "OxbowWire", "COpenSSL", "COpenSSLShim"], makesKeys: true),
    .machine("OxbowSecurity", ["OxbowCore", "OxbowWire", "OxbowCrypto", "COpenSSL", "COpenSSLShim"]),
    .machine("OxbowMux", ["OxbowCore"]),
    .machine("OxbowMigration", ["OxbowCore"]),
    .machine("OxbowProtocols", ["OxbowCore", "OxbowWire", "OxbowCrypto"]),
    .machine("OxbowUpgrade", ["OxbowCore", "OxbowWire", "OxbowCrypto", "OxbowSecurity", "OxbowProtocols"]),
    .machine("OxbowSwarm", ["OxbowCore", "OxbowMigration"]),
    .driver("OxbowNIO", machines),
    .driver("Oxbow", machines.union(["OxbowNIO"])),
    .driver("OxbowSQLite", ["OxbowCore", "OxbowSwarm", "OxbowNIO"]),
    .machine("OxbowSeeds", []),
    .driver("OxbowTesting", machines.union(["OxbowSeeds", "OxbowNIO", "Oxbow"])),
    .driver("OxbowSimulate", ["OxbowCore", "OxbowTesting"]),
    .driver("OxbowExplorer", ["OxbowSeeds", "OxbowCore", "OxbowMigration", "OxbowSwarm"]),
    .driver("OxbowModelCheck", ["OxbowExplorer"]),
    .driver("OxbowFuzzing", machines.union(["OxbowExplorer"])),
    .driver("OxbowCommandLine", ["OxbowCore", "OxbowCrypto", "OxbowProtocols", "OxbowNIO", "Oxbow"]),
    .driver(
        "OxbowCLI",
        [
            "OxbowCore", "OxbowCrypto", "OxbowProtocols", "OxbowMigration", "OxbowNIO", "Oxbow", "OxbowCommandLine",
        ]),
    .driver(
        "OxbowInterop",
        [
            "OxbowCore", "OxbowCrypto", "OxbowMigration", "OxbowProtocols", "OxbowSecurity", "OxbowUpgrade",
            "OxbowNIO", "Oxbow", "OxbowCommandLine",
        ]),
]

private let machines: Set<String> = [
    "OxbowCore", "OxbowWire", "OxbowCrypto", "OxbowSecurity", "OxbowMux", "OxbowMigration", "OxbowProtocols",
    "OxbowUpgrade", "OxbowSwarm",
]

/// The module that a line of code imports, if it is an import.
func importedModule(_ line: String) -> String? {
    let parts = words(in: line).map(\.text)
    guard let keyword = parts.firstIndex(of: "import") else { return nil }
    let modifiers: Set = [
        "public", "package", "internal", "fileprivate", "private", "testable", "preconcurrency", "_exported",
    ]
    guard parts[..<keyword].allSatisfy(modifiers.contains) else { return nil }
    let kinds: Set = ["struct", "class", "enum", "protocol", "typealias", "func", "let", "var"]
    return parts[(keyword + 1)...].first { !kinds.contains($0) }
}

/// Imports that the layer's arrows don't allow. A machine imports nothing but what its line names; a driver is free to
/// import what isn't the package's own.
func forbiddenImports(in text: SwiftText, of layer: Layer) -> [Finding] {
    let own = Set(layers.map(\.name))
    return text.code.enumerated().compactMap { index, line in
        guard let module = importedModule(line), !layer.imports.contains(module) else { return nil }
        guard layer.kind == .machine || own.contains(module) else { return nil }
        return Finding(line: index + 1, "\(layer.name) must not import \(module)")
    }
}
