import NIOCore
import Testing

@testable import OxbowCLI

@Suite struct FileTransferTests {
    @Test(arguments: [
        ("notes.txt", "notes.txt"), ("/etc/passwd", "passwd"), ("../../x", "x"), ("a\\..\\b.exe", "b.exe"),
        (".bashrc", "_bashrc"), ("-rf", "_rf"), ("a\u{1B}[2Jb", "a_[2Jb"), ("a\nb", "a_b"),
        ("gnp\u{202E}exe", "gnp_exe"),
        ("Grüße 日本.txt", "Grüße 日本.txt"), ("a\u{0}b", "a_b"),
    ])
    func makesNamesSafe(_ name: String, _ safe: String) {
        #expect(FileTransfer.safeName(name) == safe)
    }

    @Test(arguments: ["", ".", "..", "/", "a/", "a/..", "../.", "-", "\\", String(repeating: "x", count: 241)])
    func refusesNames(_ name: String) {
        let safe = FileTransfer.safeName(name)
        #expect(safe == nil || safe == "_.", "what is left names a file in the folder, or nothing")
        #expect(safe.map { !$0.contains("/") && $0 != "." && $0 != ".." } ?? true)
    }

    @Test func takesTheLongestName() {
        let name = String(repeating: "x", count: 240)
        #expect(FileTransfer.safeName(name) == name)
    }

    @Test(arguments: [
        FileTransfer.Answer.stored(digest: [UInt8](0..<32)), .refused("no"), .notStored(""), .damaged("ü"),
    ])
    func answersComeBack(_ answer: FileTransfer.Answer) throws {
        #expect(try FileTransfer.Answer(answer.encoded) == answer)
    }

    @Test(arguments: [[0], [0] + [UInt8](repeating: 1, count: 31), [0] + [UInt8](repeating: 1, count: 33), [4], [255]])
    func refusesAnswers(_ bytes: [UInt8]) {
        #expect(throws: FileTransferError.malformedAnswer) { try FileTransfer.Answer(ByteBuffer(bytes: bytes)) }
    }

    @Test func anEmptyAnswerIsNone() {
        #expect(throws: FileTransferError.noAnswer) { try FileTransfer.Answer(ByteBuffer()) }
    }

    @Test func aLongReasonIsCut() throws {
        let answer = FileTransfer.Answer.refused(String(repeating: "x", count: 1_000))
        #expect(answer.encoded.readableBytes == 1 + FileTransfer.maximumReasonLength)
    }

    @Test func headerIsAsSpecified() {
        let header = FileTransfer.Header(name: "ab", size: 258)
        #expect(Array(header.encoded.readableBytesView) == [0, 2, 0x61, 0x62, 0, 0, 0, 0, 0, 0, 1, 2])
    }

    @Test func theBarShowsHowFarItIs() {
        let bar = TransferBar(name: "f", bytes: 50, total: 100, bytesPerSecond: 10)
        #expect(bar.text(path: nil, migrations: 1) == "f [##########----------] 50%  10 B/s  0:05  1 migration")
        let empty = TransferBar(name: "f", bytes: 0, total: 0, bytesPerSecond: 0)
        #expect(empty.text(path: nil, migrations: 0).contains("] 100%  0 B/s  -:--  0 migrations"))
    }
}
