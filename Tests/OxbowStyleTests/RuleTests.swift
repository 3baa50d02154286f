import Testing

/// Each rule, tried on text that it must pass and on text that it must not.
@Suite struct RuleTests {
    private let machine = Layer.machine("OxbowMux", ["OxbowCore"])
    private let keyMaker = Layer.machine("OxbowCrypto", ["OxbowCore"], makesKeys: true)

    @Test func commentsAndStringsAreNoCode() {
        let text = SwiftText(
            ##"""
            let a = "await \(b + "async") c" // Task
            /* actor /* nested */ still */ let d = 1
            let e = #"raw "quoted" \(no) \#(yes)"#
            let f = """
                fatalError() \(g)
                """
            let h = 2 /// doc
            """##)
        let code = text.code.flatMap(words(in:)).map(\.text)
        #expect(code == ["let", "a", "b", "let", "d", "1", "let", "e", "yes", "let", "f", "g", "let", "h", "2"])
        #expect(text.comments[0].hasSuffix("// Task"))
        #expect(text.comments[1].contains("still */"))
        #expect(text.code.count == text.lines.count && text.comments.count == text.lines.count)
        #expect(text.code[0].count == text.lines[0].count)
    }

    @Test func anInterpolationWithParenthesesEndsWhereItEnds() {
        let text = SwiftText("let a = \"\\(f(g(1), \")\")) await\"; let b = 2")
        #expect(text.code.flatMap(words(in:)).map(\.text) == ["let", "a", "f", "g", "1", "let", "b", "2"])
    }

    @Test(
        arguments: [
            "func f() async {}", "await g()", "Task { }", "actor A {}", "let t = Date()", "ContinuousClock().now",
            "UInt8.random(in: 0...1)", "var g = SystemRandomNumberGenerator()", "list.shuffled()", "print(1)",
            "fatalError()", "try! f()", "x as! Y", "let m = Mutex(0)", "unsafeBitCast(a, to: B.self)",
            "value.unsafelyUnwrapped", "let s = \"\\(await f())\"",
        ])
    func machinesMustNot(_ line: String) {
        #expect(machineViolations(in: SwiftText(line), of: machine).count == 1)
    }

    @Test(
        arguments: [
            "// await, Task, Date()", "let random: [UInt8]", "func f(random: Int)", "let s = \"print(1)\"",
            "try f()", "x as? Y", "try? f()", "case .actor:", "precondition(a != b)", "let task = 1",
            "self.print = true",
        ])
    func machinesMay(_ line: String) {
        #expect(machineViolations(in: SwiftText(line), of: machine) == [])
    }

    @Test func onlyTheKeyMakerDrawsRandomNumbers() {
        let text = SwiftText("let a = UInt8.random(in: 0...1)")
        #expect(machineViolations(in: text, of: keyMaker) == [])
        #expect(machineViolations(in: text, of: machine).count == 1)
    }

    @Test(arguments: [
        ("import NIOCore", "NIOCore"), ("public import OxbowCore", "OxbowCore"), ("@testable import A", "A"),
        ("import struct B.C", "B"), ("@preconcurrency internal import D", "D"), ("let important = 1", nil),
        ("let a = import", nil), ("// import E", nil),
    ])
    func importsAreFound(_ line: String, _ module: String?) {
        #expect(SwiftText(line).code.first.flatMap(importedModule) == module)
    }

    @Test(arguments: ["NIOCore", "Foundation", "Dispatch", "Glibc", "Synchronization", "OxbowWire", "Oxbow"])
    func machinesImportOnlyTheirArrows(_ module: String) {
        #expect(forbiddenImports(in: SwiftText("import \(module)"), of: machine).count == 1)
        #expect(forbiddenImports(in: SwiftText("import OxbowCore"), of: machine) == [])
    }

    @Test func driversImportTheWorldButOnlyLayersBelow() {
        let driver = Layer.driver("OxbowNIO", ["OxbowCore"])
        #expect(forbiddenImports(in: SwiftText("import NIOCore\nimport OxbowCore"), of: driver) == [])
        #expect(forbiddenImports(in: SwiftText("\nimport Oxbow"), of: driver).map(\.line) == [2])
    }

    @Test func unfinishedWorkIsFoundInCommentsOnly() {
        #expect(unfinishedMarks(in: SwiftText("/// TODO: more")).count == 1)
        #expect(unfinishedMarks(in: SwiftText("let a = 1  // FIXME")).count == 1)
        #expect(unfinishedMarks(in: SwiftText("let a = \"TODO\"  // mastodons and TODOs")) == [])
    }

    @Test(arguments: [
        ("a\tb\n", 1), ("a \n", 1), ("a\r\n", 1), ("a", 1), ("a\n\n", 1), ("a\n", 0), ("", 0), ("\n a\n", 0),
    ])
    func blanksAreFound(_ source: String, _ count: Int) {
        #expect(blankErrors(in: source).count == count)
    }

    @Test func functionsAreMeasured() {
        let text = SwiftText(
            """
            protocol P {
                func bodiless() -> Int
                init(a: Int)
                func second(
                    b: Int
                ) throws
            }
            struct S {
                init() { a = 1 }
                func longer(
                    f: () -> Void = { }
                ) -> Int
                where S: P
                {
                    if a { b() }
                    return .init(1)
                }
                subscript(i: Int) -> Int {
                    1
                }
                deinit {
                }
                static func == (a: S, b: S) -> Bool { true }
                static func < (a: S, b: S) -> Bool {
                    true
                }
            }
            """)
        let found = functionLengths(in: text).map { "\($0.name) \($0.line) \($0.length)" }
        #expect(found == ["init 9 1", "longer 10 8", "subscript 18 3", "deinit 21 2", "== 23 1", "< 24 3"])
    }

    @Test(
        arguments: [
            "public func f() {}", "public var a = 1", "public struct S {}", "public init() { go() }",
            "public static let b = 1", "public private(set) var c: Int", "open class D {}", "public typealias E = Int",
            "public mutating func g() {}", "public subscript(i: Int) -> Int { 1 }", "// a remark\npublic let d = 1",
            "/// One.\npublic let a: Int\n\npublic var b = 1",
            "public init?(_ a: Int) {\n    guard a > 0 else { return nil }\n}",
            "@inlinable\npublic func h() {}", "@discardableResult public func i() {}", "public class func j() {}",
        ])
    func publicDeclarationsNeedAComment(_ source: String) {
        #expect(undocumentedDeclarations(in: SwiftText(source)).count == 1)
    }

    @Test(
        arguments: [
            "/// Says.\npublic func f() {}", "/// Says.\n@inlinable\n@frozen\npublic struct S {}", "func g() {}",
            "public var description: String { \"\" }", "public static func == (a: S, b: S) -> Bool { true }",
            "public static func < (a: S, b: S) -> Bool { true }", "public func hash(into hasher: inout Hasher) {}",
            "public import OxbowCore", "public init(a: Int) {\n    self.a = a\n}", "/** Says. */\npublic let a = 1",
            "/// Both.\npublic let a: Int\npublic var b = 1",
            "/// A point.\npublic struct P {\n    public let x: Int\n}",
            "extension S: P {}", "public init() {}", "public init(integerLiteral value: Int) { go() }",
            "public static func + (a: S, b: S) -> S { a }",
        ])
    func documentedOrExempt(_ source: String) {
        #expect(undocumentedDeclarations(in: SwiftText(source)) == [])
    }

    @Test(
        arguments: [
            "func open() {}", "mutating func open(\n    a: Int\n) {}", "let open = 1",
            "let plaintext = try cipher?.open(a)",
            "let result = Self.open(&b)", "if case .open(let id) = state {}", "guard open(a), let b = c else {}",
        ])
    func openIsANameToo(_ source: String) {
        #expect(undocumentedDeclarations(in: SwiftText(source)) == [])
    }

    @Test func whatIsOpenedToSubclassesIsPublic() {
        #expect(undocumentedDeclarations(in: SwiftText("open func open() {}")).count == 1)
    }

    @Test func witnessesOfOurOwnProtocolsAreDocumentedThere() {
        let text = SwiftText(
            """
            /// A message.
            public protocol Message {
                /// Its bytes.
                func encoded() -> [UInt8]
                init(decoding: [UInt8])
            }
            public func other() {}
            """)
        let requirements = protocolRequirements(in: text)
        #expect(requirements == ["encoded", "init(decoding"])
        let witness = SwiftText("public func encoded() -> [UInt8] { [] }\npublic init(decoding bytes: [UInt8]) {\n}")
        #expect(undocumentedDeclarations(in: witness, requirements: requirements) == [])
        #expect(undocumentedDeclarations(in: witness).map(\.line) == [1])
        #expect(undocumentedDeclarations(in: text).map(\.line) == [7])
    }

    @Test func anInitializerThatDoesMoreThanStoreNeedsAComment() {
        let text = SwiftText("public init(a: Int) {\n    self.a = a\n    self.b = f(a)\n}")
        #expect(undocumentedDeclarations(in: text).count == 1)
    }

    @Test func dependenciesAreReadFromAManifest() {
        let manifest = """
            .package(url: "https://example.org/x/swift-nio.git", from: "2.0.0"),
            .package(url: "https://example.org/x/swift-log", from: "1.0.0"),
            .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: []),
            """
        #expect(dependencies(ofManifest: manifest) == ["swift-nio", "swift-log", "openssl"])
    }

    @Test func tableKeysAreThoseUnderTheHeading() {
        let document =
            "# T\n| a | b |\n|---|---|\n| no | x |\n## D\ntext\n\n| n | w |\n|---|---|\n| `one` | x |\n| two | y |\n## E\n| z |"
        #expect(tableKeys(under: "## D", in: document) == ["one", "two"])
    }

    @Test func ruleIDsAreFound() {
        let prefix = "SM-"
        #expect(
            ruleIDs(in: "see \(prefix)W1, (\(prefix)F10) and X\(prefix)A1 or \(prefix)1") == [
                "\(prefix)W1", "\(prefix)F10",
            ])
    }

    @Test func localLinksAreFound() {
        let document = "[a](B.md) [c](https://example.org/x) [d](e/f.md#g) [h](#i) ![j](k.svg)"
        #expect(localLinks(in: document) == ["B.md", "e/f.md", "k.svg"])
    }
}
