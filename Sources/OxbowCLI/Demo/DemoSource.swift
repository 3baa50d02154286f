import Foundation
import NIOCore

/// Where the bytes of a file come from: the user's file, or a generator that needs no disk.
struct DemoSource: ~Copyable {
    let size: Int
    private var offset = 0
    private var generator: PatternGenerator
    private let file: DemoFile?

    /// Pseudo-random bytes, the same for the same seed.
    init(seed: UInt64, size: Int) {
        generator = PatternGenerator(seed: seed)
        file = nil
        self.size = size
    }

    /// The bytes of a file, as many as it has now.
    init(path: String) throws(DemoError) {
        let file = try DemoFile(path: path)
        generator = PatternGenerator(seed: 0)
        size = file.size
        self.file = file
    }

    /// The next bytes, at most `maximum`; empty at the end.
    mutating func next(_ maximum: Int) throws(DemoError) -> ByteBuffer {
        let count = min(maximum, size - offset)
        guard count > 0 else { return ByteBuffer() }
        let buffer: ByteBuffer
        if let file {
            buffer = try file.read(count, missing: size - offset)
        } else {
            buffer = generator.next(count)
        }
        offset += buffer.readableBytes
        return buffer
    }
}

/// A file that the user named, open for reading.
final class DemoFile: Sendable {
    let path: String
    let size: Int
    private let descriptor: Int32

    init(path: String) throws(DemoError) {
        func unusable(_ why: String) -> DemoError { .fileUnusable(path: path, why: why) }
        // Without O_NONBLOCK a pipe without a writer would hold the demo up before it can be refused.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw unusable(String(cString: strerror(errno))) }
        var status = stat()
        let done = fstat(descriptor, &status)
        let problem: String? =
            if done != 0 { String(cString: strerror(errno)) } else if status.st_mode & S_IFMT == S_IFDIR {
                "it is a folder; name a file"
            } else if status.st_mode & S_IFMT != S_IFREG {
                "it is not a regular file"
            } else if status.st_size == 0 {
                "it is empty; there is nothing to send"
            } else {
                nil
            }
        if let problem {
            close(descriptor)
            throw unusable(problem)
        }
        self.path = path
        self.descriptor = descriptor
        size = Int(status.st_size)
    }

    deinit {
        close(descriptor)
    }

    func read(_ count: Int, missing: Int) throws(DemoError) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { bytes in
            while true {
                let done = Foundation.read(descriptor, bytes.baseAddress, count)
                if done < 0, errno == EINTR { continue }
                return max(0, done)
            }
        }
        guard buffer.readableBytes > 0 else { throw .fileShrank(path: path, missing: missing) }
        return buffer
    }
}
