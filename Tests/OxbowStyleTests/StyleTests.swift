import Testing

/// The house rules that neither the compiler nor the formatter checks, over the sources as they are.
@Suite struct StyleTests {
    /// Past the first number a file or function is reported, past the second the test fails.
    static let fileLength = (report: 400, fail: 500)
    static let functionLength = (report: 60, fail: 80)

    /// Files that may be longer than the limit, each with its reason. An entry that is no longer needed fails the test.
    static let longFiles: [String: String] = [:]
    /// Functions, as `path:name`, that may be longer than the limit, each with its reason.
    static let longFunctions: [String: String] = [:]

    /// What the package's own protocols require.
    static let requirements = Repository.swift("Sources").reduce(into: Set<String>()) { names, file in
        names.formUnion(protocolRequirements(in: file.text))
    }
    static let machines = layers.filter { $0.kind == .machine }
    static let swiftLayers = layers.filter { $0.kind == .machine || $0.kind == .driver }

    private func expectNone(_ findings: [(path: String, finding: Finding)]) {
        let report = findings.map { "\($0.path):\($0.finding.line): \($0.finding.message)" }.joined(separator: "\n")
        #expect(findings.isEmpty, "\(report)")
    }

    private func findings(in folder: String, _ rule: (SwiftText) -> [Finding]) -> [(path: String, finding: Finding)] {
        Repository.swift(folder).flatMap { path, text in rule(text).map { (path, $0) } }
    }

    @Test(
        "Machines have no clock, no tasks, no locks, no randomness, no output, no trap", arguments: machines.map(\.name)
    )
    func machineWords(_ name: String) throws {
        let layer = try #require(layers.first { $0.name == name })
        expectNone(findings(in: "Sources/\(name)") { machineViolations(in: $0, of: layer) })
    }

    @Test("Arrows between targets run downwards only", arguments: swiftLayers.map(\.name))
    func arrows(_ name: String) throws {
        let layer = try #require(layers.first { $0.name == name })
        expectNone(findings(in: "Sources/\(name)") { forbiddenImports(in: $0, of: layer) })
    }

    @Test("Each folder of Sources has its place among the layers")
    func everyTargetHasALayer() {
        let known = Set(layers.map(\.name))
        let unknown = Repository.folders("Sources").filter { !known.contains($0) }
        #expect(unknown.isEmpty, "Layers.swift has no line for \(unknown)")
        #expect(!Repository.folders("Sources").isEmpty)
    }

    @Test("The table of layers is ordered from the bottom up and names each target once")
    func layersAreOrdered() {
        var below: Set<String> = []
        for layer in layers {
            #expect(layer.imports.isSubset(of: below), "\(layer.name) imports what stands below its line")
            #expect(below.insert(layer.name).inserted, "\(layer.name) stands there twice")
        }
    }

    @Test("Each file belongs to a target of the package", arguments: ["Sources", "Tests"])
    func noDeadFiles(_ folder: String) throws {
        let manifest = try #require(Repository.text("Package.swift"))
        for entry in Repository.entries(folder) {
            #expect(Repository.folders(folder).contains(entry), "\(folder)/\(entry) lies outside of every target")
            #expect(manifest.contains("\"\(entry)\""), "\(folder)/\(entry) is no target of Package.swift")
        }
        let kinds = [".swift", ".c", ".h", ".modulemap", ".md"]
        let others = Repository.files(folder).filter { path in !kinds.contains { path.hasSuffix($0) } }
        #expect(others.isEmpty, "files that no target compiles: \(others)")
    }

    @Test("Nothing unfinished is checked in", arguments: ["Sources", "Tests"])
    func nothingUnfinished(_ folder: String) {
        expectNone(findings(in: folder, unfinishedMarks))
        let stubs = Repository.files(folder).filter { $0.hasSuffix("Placeholder.swift") }
        #expect(stubs.isEmpty, "a target appears when it has content: \(stubs)")
    }

    @Test("No tabs, no blanks at line ends", arguments: ["Sources", "Tests", "Interop", "scripts", "Specs", ".ci"])
    func blanks(_ folder: String) {
        let files = Repository.files(folder).filter { !$0.contains(".pb-c.") }
        expectNone(
            files.flatMap { path in
                blankErrors(in: Repository.text(path) ?? "").map { (path, $0) }
            })
    }

    @Test("Public declarations are documented", arguments: swiftLayers.map(\.name).filter { $0 != "OxbowCLI" })
    func documentation(_ name: String) {
        let requirements = Self.requirements
        expectNone(findings(in: "Sources/\(name)") { undocumentedDeclarations(in: $0, requirements: requirements) })
    }

    @Test("Files are short; the exceptions are needed")
    func fileLengths() {
        var unused = Set(Self.longFiles.keys)
        for (path, text) in Repository.swift("Sources") + Repository.swift("Tests") {
            let isExcepted = judge(path, text.lines.count, Self.fileLength, excepted: Self.longFiles[path] != nil)
            if isExcepted { unused.remove(path) }
        }
        #expect(unused.isEmpty, "exceptions that nothing needs any more")
    }

    @Test("Functions are short; the exceptions are needed")
    func functionLengths() {
        var unused = Set(Self.longFunctions.keys)
        for (path, text) in Repository.swift("Sources") {
            for function in OxbowStyleTests.functionLengths(in: text) {
                let key = "\(path):\(function.name)"
                let place = "\(path):\(function.line): \(function.name)"
                let isKnown = Self.longFunctions[key] != nil
                if judge(place, function.length, Self.functionLength, excepted: isKnown) { unused.remove(key) }
            }
        }
        #expect(unused.isEmpty, "exceptions that nothing needs any more")
    }

    /// Fails past the limit, unless excepted, and mentions what comes near. Returns whether the exception was needed.
    private func judge(_ place: String, _ length: Int, _ limit: (report: Int, fail: Int), excepted: Bool) -> Bool {
        if length > limit.fail, excepted { return true }
        #expect(length <= limit.fail, "\(place) has \(length) lines, more than \(limit.fail)")
        if length > limit.report { print("note: \(place) has \(length) lines; it should be \(limit.report) at most") }
        return false
    }

    @Test("Rules of stream migration that are cited exist")
    func citedRulesExist() throws {
        let rules = ruleIDs(in: try #require(Repository.text(Self.specification)))
        #expect(!rules.isEmpty)
        for (path, text) in Repository.swift("Sources") + Repository.swift("Tests") {
            let unknown = ruleIDs(in: text.lines.joined(separator: "\n")).subtracting(rules)
            #expect(unknown.isEmpty, "\(path) cites rules that the specification doesn't have")
        }
    }
    static let specification = "Specs/stream-migration/README.md"

    @Test("Each dependency has its line in CONTRIBUTING.md, and each line its dependency")
    func dependenciesAreJustified() throws {
        let manifest = try #require(Repository.text("Package.swift"))
        let document = try #require(Repository.text("CONTRIBUTING.md"))
        #expect(tableKeys(under: "## Dependencies", in: document) == dependencies(ofManifest: manifest))
    }

    @Test("Links between documents lead somewhere")
    func linksResolve() {
        let folders = ["Specs", "Interop", "Benchmarks", "Examples", "Fuzz"]
        let documents = (Repository.entries(".") + folders.flatMap(Repository.files)).filter { $0.hasSuffix(".md") }
        for path in documents {
            let folder = path.contains("/") ? String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)]) + "/" : ""
            for link in localLinks(in: Repository.text(path) ?? "") {
                let target = folder + link
                let parent = target.split(separator: "/").dropLast().joined(separator: "/")
                let name = target.split(separator: "/").last.map(String.init) ?? ""
                #expect(
                    Repository.entries(parent.isEmpty ? "." : parent).contains(name), "\(path) links to \(link)")
            }
        }
    }
}
