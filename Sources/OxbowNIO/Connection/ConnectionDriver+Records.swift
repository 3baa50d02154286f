import NIOCore
import OxbowCore
import OxbowMux
import OxbowProtocols
import OxbowSecurity
import OxbowUpgrade

// From socket bytes to frames, and back.

extension ConnectionDriver {
    // MARK: Inbound

    func received(_ buffer: ByteBuffer) {
        guard failure == nil else { return }
        circuitBudget?.took(buffer.readableBytes)
        guard upgrade != nil else { return receivedCiphertext(buffer) }
        upgradeInput += buffer.readableBytesView
        advanceUpgrade()
    }

    var upgradePhase: UpgradePhase {
        upgrade?.phase ?? .muxerNegotiation
    }

    private func advanceUpgrade() {
        do {
            guard let step = try upgrade?.receive(&upgradeInput) else { return }
            switch step {
            case .needMore(let send):
                writeRaw(send)
            case .finished(let send, let peer, let security):
                writeRaw(send)
                finishUpgrade(peer, security)
            }
        } catch {
            if let alert = upgrade?.farewell() { writeRaw(alert) }
            end(.upgrade(error))
        }
    }

    private func finishUpgrade(_ peer: AuthenticatedPeer, _ security: ProtocolID) {
        // The last write of the upgrade may have found the peer gone: then the connection is over.
        guard failure == nil, let upgrade = upgrade.take() else { return }
        let isMuxerEarly = upgrade.isMuxerEarly
        let leftover = upgrade.leftover
        secure = RecordLayer(upgrade.takeTransport())
        let rest = ByteBuffer(bytes: upgradeInput)
        upgradeInput = []
        opened(peer, security: security, isMuxerEarly: isMuxerEarly)
        // What came behind the upgrade: first what was decrypted already, then what was not.
        if !leftover.isEmpty {
            var plaintext = ByteBuffer(bytes: leftover)
            receivedPlaintext(&plaintext)
        }
        if failure == nil { receivedCiphertext(rest) }
    }

    private func receivedCiphertext(_ buffer: ByteBuffer) {
        var ciphertext = buffer
        do throws(SecurityError) {
            while failure == nil, var plaintext = try secure.open(&ciphertext) { receivedPlaintext(&plaintext) }
        } catch {
            end(.security(error.description))
        }
    }

    private func receivedPlaintext(_ input: inout ByteBuffer) {
        while input.readableBytes > 0, failure == nil {
            switch session?.receiveBody(input.readableBytes, at: now) {
            case .deliver(let id, let count, _):
                let capacity = input.storageCapacity
                guard let slice = input.readSlice(length: count), let stream = streams[id] else { break }
                streamReceived(stream, slice.detached(fromStorageOf: capacity))
            case .discard(let count, _):
                input.moveReaderIndex(forwardBy: count)
            case nil:
                guard let frame = takeHeader(from: &input) else { break }
                do {
                    try session?.receive(frame, at: now)
                } catch {
                    return end(.muxer(error))
                }
            }
            drainEvents()
        }
    }

    /// Reads a frame's header, which may have begun in an earlier record.
    private func takeHeader(from input: inout ByteBuffer) -> YamuxFrameHeader? {
        let size = YamuxFrameHeader.size
        if header.readableBytes == 0, let words = input.readMultipleIntegers(as: (UInt32, UInt32, UInt32).self) {
            return YamuxFrameHeader(firstWord: words.0, secondWord: words.1, thirdWord: words.2)
        }
        if var piece = input.readSlice(length: min(size - header.readableBytes, input.readableBytes)) {
            header.writeBuffer(&piece)
        }
        guard let words = header.readMultipleIntegers(as: (UInt32, UInt32, UInt32).self) else { return nil }
        header.clear()
        return YamuxFrameHeader(firstWord: words.0, secondWord: words.1, thirdWord: words.2)
    }

    // MARK: Outbound

    func writeRaw(_ bytes: [UInt8]) {
        guard !bytes.isEmpty else { return }
        circuitBudget?.wrote(bytes.count)
        transport.write(ByteBuffer(bytes: bytes))
    }

    var canFlush: Bool { transport.isWritable && session?.hasOutput == true }

    /// Frames, encrypts and writes what is ready, record by record, as long as the transport takes it.
    ///
    /// - Returns: how many records were written.
    func flush(maximumRecords: Int) -> Int {
        var records = 0
        while records < maximumRecords, canFlush {
            var record = secure.newRecord()
            fill(&record)
            drainEvents()
            do throws(SecurityError) {
                let sealed = try secure.seal(&record)
                circuitBudget?.wrote(sealed.readableBytes)
                transport.write(sealed)
            } catch {
                end(.security(error.description))
                break
            }
            records += 1
        }
        return records
    }

    /// Puts as many frames into the record as fit.
    private func fill(_ record: inout PlaintextRecord) {
        let now = now
        while record.room >= YamuxFrameHeader.size,
            let frame = session?.nextFrame(maximumPayload: record.room - YamuxFrameHeader.size, at: now)
        {
            let id = frame.header.streamID
            let isFIN = frame.header.flags.contains(.fin)
            let stream = frame.payload > 0 || isFIN ? streams[id] : nil
            guard frame.payload > 0 else {
                record.append(frame.header)
                if isFIN, let stream { finFramed(stream) }
                continue
            }
            let start = record.reserveHeader()
            let written = takePayload(of: stream, count: frame.payload, into: &record)
            var header = frame.header
            if written < frame.payload {
                // Between the plan and this moment another loop re-pointed the stream's writes (SM-M4): the frame
                // carries what is left, and the window of the rest goes back.
                session?.returnUnsent(id, bytes: frame.payload - written)
                header.length = UInt32(written)
                if written == 0, !isFIN {
                    record.dropHeader(at: start)
                    continue
                }
            }
            record.setHeader(header, at: start)
            if isFIN, let stream { finFramed(stream) }
        }
    }

    private func takePayload(of stream: UnderlyingStream?, count: Int, into record: inout PlaintextRecord) -> Int {
        guard let stream else { return 0 }
        var written = 0
        if stream.prefix.readableBytes > 0 {
            let length = min(count, stream.prefix.readableBytes)
            if var piece = stream.prefix.readSlice(length: length) { record.append(&piece) }
            written += length
            if stream.prefix.readableBytes == 0 { stream.prefix = ByteBuffer() }
        }
        var rest = stream.prefix.readableBytes
        if stream.carriesApplicationData, let logical = stream.logical {
            let (start, end) = (written, written + admitted(count - written, of: logical))
            repeat {
                let (piece, left) = logical.takeOutbound(on: stream.token, maximum: end - written)
                rest = left
                guard var piece else { break }
                written += piece.readableBytes
                record.append(&piece)
            } while written < end
            circuitBudget?.framed(written - start)
            rest = admitted(rest, of: logical)
        }
        session?.setPending(stream.id, bytes: stream.prefix.readableBytes + rest)
        // Its FIN waited for the last byte, or no further byte may go.
        if circuitBudget != nil { refresh(stream) }
        return written
    }

    private func finFramed(_ stream: UnderlyingStream) {
        stream.hasFramedFIN = true
        stream.logical?.finFramed(on: stream.token, at: now)
    }

    /// TLS has a goodbye of its own, behind the multiplexer's.
    func sayGoodbye() {
        if let goodbye = secure.close() { transport.write(goodbye) }
    }
}

extension ByteBuffer {
    /// A slice keeps its whole record in memory. One that is small against it is copied, so that a peer can't pin 64
    /// KiB with each byte that nobody reads.
    func detached(fromStorageOf capacity: Int) -> ByteBuffer {
        readableBytes >= capacity / 4 ? self : ByteBuffer(bytes: readableBytesView)
    }
}
