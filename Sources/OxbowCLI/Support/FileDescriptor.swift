#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// The operating system's number for what went wrong.
struct SystemErrorCode: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    let rawValue: Int32

    static var last: SystemErrorCode { SystemErrorCode(rawValue: errno) }
    static let brokenPipe = SystemErrorCode(rawValue: EPIPE)
    static let exists = SystemErrorCode(rawValue: EEXIST)
    static let missing = SystemErrorCode(rawValue: ENOENT)

    var description: String { String(cString: strerror(rawValue)) }
}

/// What went wrong with a file.
struct FileError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What was tried with what, such as "write notes.txt".
    let operation: String
    let code: SystemErrorCode

    init(_ operation: String, _ code: SystemErrorCode = .last) {
        (self.operation, self.code) = (operation, code)
    }

    var description: String { "can't \(operation): \(code)" }
}

/// An open file of the operating system; blocking. Whoever opened it closes it.
struct FileDescriptor: Hashable, Sendable {
    let rawValue: Int32
    /// For messages.
    var name = "the output"

    init(_ rawValue: Int32, name: String = "the output") {
        (self.rawValue, self.name) = (rawValue, name)
    }

    static let standardInput = FileDescriptor(STDIN_FILENO, name: "standard input")
    static let standardOutput = FileDescriptor(STDOUT_FILENO, name: "standard output")

    /// Writes all of `bytes`.
    func write(_ bytes: some Sequence<UInt8>) throws(FileError) {
        let done: Void? = bytes.withContiguousStorageIfAvailable { _ in () }
        guard done != nil else { return try write(all: Array(bytes)) }
        let failure: FileError?? = bytes.withContiguousStorageIfAvailable { bytes -> FileError? in
            do throws(FileError) {
                try write(all: UnsafeRawBufferPointer(bytes))
                return nil
            } catch { return error }
        }
        if let failure, let error = failure { throw error }
    }

    private func write(all bytes: [UInt8]) throws(FileError) {
        var failure: FileError?
        bytes.withUnsafeBytes { bytes in
            do throws(FileError) { try write(all: bytes) } catch { failure = error }
        }
        if let failure { throw failure }
    }

    private func write(all bytes: UnsafeRawBufferPointer) throws(FileError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let piece = UnsafeRawBufferPointer(rebasing: rest)
            #if canImport(Glibc)
            let count = Glibc.write(rawValue, piece.baseAddress, piece.count)
            #else
            let count = Darwin.write(rawValue, piece.baseAddress, piece.count)
            #endif
            if count >= 0 {
                rest = rest.dropFirst(count)
            } else if errno == EAGAIN {
                var waiting = pollfd(fd: rawValue, events: Int16(POLLOUT), revents: 0)
                _ = poll(&waiting, 1, -1)
            } else if errno != EINTR {
                throw FileError("write \(name)")
            }
        }
    }

    /// Reads into `buffer`.
    ///
    /// - Returns: how many bytes; 0 at the end.
    func read(into buffer: UnsafeMutableRawBufferPointer) throws(FileError) -> Int {
        while true {
            #if canImport(Glibc)
            let count = Glibc.read(rawValue, buffer.baseAddress, buffer.count)
            #else
            let count = Darwin.read(rawValue, buffer.baseAddress, buffer.count)
            #endif
            if count >= 0 { return count }
            if errno == EAGAIN {
                var waiting = pollfd(fd: rawValue, events: Int16(POLLIN), revents: 0)
                _ = poll(&waiting, 1, -1)
            } else if errno != EINTR {
                throw FileError("read \(name)")
            }
        }
    }

    func close() {
        #if canImport(Glibc)
        _ = Glibc.close(rawValue)
        #else
        _ = Darwin.close(rawValue)
        #endif
    }
}
