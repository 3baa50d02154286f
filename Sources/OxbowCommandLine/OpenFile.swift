#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// The operating system's number for what went wrong.
package struct SystemErrorCode: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    package let rawValue: Int32

    package init(rawValue: Int32) {
        self.rawValue = rawValue
    }

    package static var last: SystemErrorCode { SystemErrorCode(rawValue: errno) }
    package static let brokenPipe = SystemErrorCode(rawValue: EPIPE)
    package static let exists = SystemErrorCode(rawValue: EEXIST)
    package static let missing = SystemErrorCode(rawValue: ENOENT)

    package var description: String { String(cString: strerror(rawValue)) }
}

/// What went wrong with a file.
package struct FileError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What was tried with what, such as "write notes.txt".
    package let operation: String
    package let code: SystemErrorCode

    package init(_ operation: String, _ code: SystemErrorCode = .last) {
        (self.operation, self.code) = (operation, code)
    }

    package var description: String { "can't \(operation): \(code)" }
}

/// An open file of the operating system; blocking. Whoever opened it closes it.
package struct OpenFile: Hashable, Sendable {
    package let rawValue: Int32
    /// For messages.
    package var name = "the output"

    package init(_ rawValue: Int32, name: String = "the output") {
        (self.rawValue, self.name) = (rawValue, name)
    }

    package static let standardInput = OpenFile(STDIN_FILENO, name: "standard input")
    package static let standardOutput = OpenFile(STDOUT_FILENO, name: "standard output")

    /// Writes all of `bytes`.
    package func write(_ bytes: some Sequence<UInt8>) throws(FileError) {
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
    package func read(into buffer: UnsafeMutableRawBufferPointer) throws(FileError) -> Int {
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

    package func close() {
        #if canImport(Glibc)
        _ = Glibc.close(rawValue)
        #else
        _ = Darwin.close(rawValue)
        #endif
    }
}
