import OxbowExplorer
import Testing

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

@Suite struct TransitionTests {
    /// `make model-check WRITE=1` draws it anew.
    @Test func theDocumentIsWhatTheCodeDoes() throws {
        let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let committed = try #require(text(of: "/\(root)/Specs/stream-migration/transitions.md"))
        #expect(committed == transitionDocument(), "run `make model-check WRITE=1`, and look at what changed")
    }

    private func text(of path: String) -> String? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        while case let byte = fgetc(file), byte != EOF { bytes.append(UInt8(truncatingIfNeeded: byte)) }
        return String(decoding: bytes, as: UTF8.self)
    }
}
